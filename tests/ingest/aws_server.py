"""S3 and SQS as moto has them, behind HTTP on loopback: clients of any process can use them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import BotocoreStubber

Before = Callable[[str, bytes], bool]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    before: Before | None = None

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = HTTPHeaders()
        for name, value in self.headers.items():
            headers[name] = value
        is_sqs = "/sqs/" in self.headers.get("Authorization", "")
        host = "sqs.us-east-1.amazonaws.com" if is_sqs else "s3.us-east-1.amazonaws.com"
        del headers["Host"]
        headers["Host"] = host
        if self.before is not None and self.before(self.headers.get("X-Amz-Target", ""), body):
            self.close_connection = True
            return
        request = AWSPreparedRequest(
            self.command, f"https://{host}{self.path}", headers, body, stream_output=False
        )
        answer = BotocoreStubber().process_request(request)
        assert answer is not None, self.path
        status, told, content = answer
        content = content.encode() if isinstance(content, str) else bytes(content or b"")
        self.send_response(int(status))
        for name, value in told.items():
            if name.lower() not in ("content-length", "date", "server", "connection"):
                self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(ConnectionError):  # who asked was killed
                self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

    def log_message(self, format: str, *told: object) -> None:
        """Nobody reads it."""


@contextmanager
def aws_server(before: Before | None = None) -> Iterator[str]:
    """The address; what is made there stays for as long as the process.

    ``before`` is told of each request (``AmazonSQS.DeleteMessage``) and its body; one it is true
    for never arrives.
    """
    handler = type("Handler", (_Handler,), {"before": staticmethod(before) if before else None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, name="aws", kwargs={"poll_interval": 0.05}
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
