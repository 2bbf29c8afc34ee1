"""Asks the edge for HTTP/2 and deposits one euro on the playground's account 1; exits 1 when either fails."""

import socket
import ssl
import sys
import uuid

import httpx

edge, authority = sys.argv[1], sys.argv[2]
context = ssl.create_default_context(cafile=authority)

alpn = ssl.create_default_context(cafile=authority)
alpn.set_alpn_protocols(["h2", "http/1.1"])
with socket.create_connection((edge, 443), timeout=10) as plain, alpn.wrap_socket(plain, server_hostname=edge) as tls:
    chosen = tls.selected_alpn_protocol()
print(f"ALPN: {chosen}")
if chosen != "h2":
    sys.exit(f"the edge chose {chosen} by ALPN instead of h2")

operation = f"helm-test-{uuid.uuid4()}"
with httpx.Client(http2=True, verify=context, timeout=30) as client:
    form = {"account": 1, "amount": 100, "operation": operation}
    answer = client.post(f"https://{edge}/bank/deposit/row_lock/", data=form)
print(answer.http_version, answer.status_code, answer.headers.get("Racelab-Replica"), answer.text.strip())
if answer.http_version != "HTTP/2" or answer.status_code != 200 or answer.json()["outcome"] != "applied":
    sys.exit("the deposit was not applied over HTTP/2")
