"""Zstandard content, unpacked in small steps and checked to be whole (RFC 8878)."""

import zstandard

from tocsin.ingest.cutting.cutting import ByteStream

ZSTD = b"\x28\xb5\x2f\xfd"
_STEP_BYTES = 1 << 10
"""Packed bytes unpacked at once: four of them may say 128 KiB, so this bounds what waits here."""
HTTP_WINDOW_BYTES = 8 << 20
"""The largest window a sender over HTTP may ask for (RFC 9659)."""


class ZstdStream:
    """Reads frames one after another; a fault costs nothing that came before it.

    ``read`` raises EOFError where the content is cut off and ``zstandard.ZstdError`` where it is
    damaged or asks for a window of more than ``window_bytes``.
    """

    def __init__(self, packed: ByteStream, window_bytes: int = 128 << 20) -> None:
        self._packed = packed
        self._engine = zstandard.ZstdDecompressor(max_window_size=window_bytes)
        self._frame = self._engine.decompressobj()
        self._is_inside = False
        self._waiting = bytearray()
        self._fault: Exception | None = None
        self._is_over = False

    @property
    def waiting_bytes(self) -> int:
        """Unpacked and not yet given."""
        return len(self._waiting)

    def read(self, size: int) -> bytes:
        while len(self._waiting) < size and self._fault is None and not self._is_over:
            try:
                self._unpack(self._packed.read(_STEP_BYTES))
            except (zstandard.ZstdError, EOFError, OSError) as error:
                self._fault = error
        if not self._waiting and self._fault is not None:
            raise self._fault
        given = bytes(self._waiting[:size])
        del self._waiting[:size]
        return given

    def _unpack(self, packed: bytes) -> None:
        if not packed:
            self._is_over = True
            if self._is_inside:
                raise EOFError("the zstd content ends before its end mark")
        while packed:
            self._waiting += self._frame.decompress(packed)
            self._is_inside = not self._frame.eof
            packed = b""
            if self._frame.eof:
                packed = self._frame.unused_data
                self._frame = self._engine.decompressobj()
