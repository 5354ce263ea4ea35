"""Duration of a voice, read from its frames or its header; None if unknown."""

import struct
from collections.abc import Callable

# RFC 4867, section 5.3: bytes of a frame of 20 ms without its header, by frame type; 9 to 14 are not used.
_AMR_MAGIC = 6
_AMR_FRAMES = {0: 12, 1: 13, 2: 15, 3: 17, 4: 19, 5: 20, 6: 26, 7: 31, 8: 5, 15: 0}
_AMR_FRAME_SECONDS = 0.02

# ISO 11172-3 and 13818-3, layer III: kbit/s by index, for MPEG 1 and for 2 and 2.5.
_MP3_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MP3_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_MP3_SAMPLING = {3: (44_100, 48_000, 32_000, 0), 2: (22_050, 24_000, 16_000, 0), 0: (11_025, 12_000, 8_000, 0)}
_MP3_SYNC, _MP3_MPEG1, _MP3_LAYER3 = 0x7FF, 3, 1
_ID3_HEADER = 10

# ASF specification, section 3.2: the file properties object; times in units of 100 ns, the preroll in ms.
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def seconds(content: bytes, format_name: str) -> float | None:
    """Return the duration of a voice in seconds, or None if unknown."""
    try:
        return _READERS[format_name](content)
    except (struct.error, IndexError, KeyError, ZeroDivisionError):
        return None


def _amr(content: bytes) -> float:
    frames, position = 0, _AMR_MAGIC
    while position < len(content):
        position += 1 + _AMR_FRAMES[content[position] >> 3 & 15]
        frames += 1
    return frames * _AMR_FRAME_SECONDS


def _wav(content: bytes) -> float | None:
    position, byte_rate = 12, 0
    while position + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, position)
        if name == b"fmt ":
            byte_rate = struct.unpack_from("<I", content, position + 16)[0]
        elif name == b"data":
            return float(min(size, len(content) - position - 8) / byte_rate)
        position += 8 + size + size % 2
    return None


def _mp3(content: bytes) -> float | None:
    """Return the total of all consecutive frames, starting after an ID3 tag."""
    position = 0
    if content.startswith(b"ID3"):
        size = 0
        for byte in content[6:_ID3_HEADER]:
            size = size << 7 | byte & 0x7F
        position = _ID3_HEADER + size
    total = 0.0
    while frame := _mp3_frame(content, position):
        position += frame[0]
        total += frame[1]
    return round(total, 6) or None  # rounded, because sums of fractions must give exactly 60 for 60 seconds


def _mp3_frame(content: bytes, position: int) -> tuple[int, float] | None:
    """Return size in bytes and duration in seconds of the frame at a position, or None."""
    if position + 4 > len(content):
        return None
    header = struct.unpack_from(">I", content, position)[0]
    version, layer = header >> 19 & 3, header >> 17 & 3
    if header >> 21 != _MP3_SYNC or layer != _MP3_LAYER3 or version not in _MP3_SAMPLING:
        return None
    mpeg1 = version == _MP3_MPEG1
    rate = (_MP3_RATES_1 if mpeg1 else _MP3_RATES_2)[header >> 12 & 15] * 1000
    sampling = _MP3_SAMPLING[version][header >> 10 & 3]
    if not rate or not sampling:
        return None
    samples = 1152 if mpeg1 else 576
    return samples // 8 * rate // sampling + (header >> 9 & 1), samples / sampling


def _wma(content: bytes) -> float | None:
    position = content.find(_ASF_PROPERTIES)
    if position < 0:
        return None
    play_time, _, preroll = struct.unpack_from("<QQQ", content, position + 64)
    return max(0.0, float(play_time / 10_000_000 - preroll / 1_000))


_READERS: dict[str, Callable[[bytes], float | None]] = {"amr": _amr, "wav": _wav, "mp3": _mp3, "wma": _wma}
