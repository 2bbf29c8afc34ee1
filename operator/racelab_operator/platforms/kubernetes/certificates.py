"""Trusting a cluster's certificate authority as kubectl does.

Since 3.13 Python refuses authorities without extensions that RFC 5280 asks for, such as key usage. Clusters have them.
"""

from __future__ import annotations

import ssl

from kubernetes import client
from urllib3.util.ssl_ import create_urllib3_context


def tolerant(context: ssl.SSLContext) -> ssl.SSLContext:
    """Have it check signatures, names and times, but not which extensions an authority has."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def tolerant_client(configuration: client.Configuration) -> client.ApiClient:
    """Make a client of an API server; the authority, the key and whether to verify come from the configuration."""
    api = client.ApiClient(configuration)
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE)
    api.rest_client.pool_manager.connection_pool_kw["ssl_context"] = tolerant(context)
    return api
