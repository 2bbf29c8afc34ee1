"""Bodies that come in chunks: the edge sends them for every HTTP/2 request whose client gave no content-length."""

import io
from typing import Any

from django.conf import settings


def accepting_chunks(application: Any) -> Any:
    """Give Django the length of a body that came in chunks: it reads such a body as an empty one."""

    def accept(environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked" and environ.get("wsgi.input_terminated"):
            # One byte more than is allowed: Django then says that it is too large.
            body = environ["wsgi.input"].read((settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) + 1)
            environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return application(environ, start_response)

    return accept
