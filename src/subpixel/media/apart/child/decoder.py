"""What runs in the process of one file: it gives up what it doesn't need, and decodes."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from subpixel.errors import PictureError
from subpixel.media.apart.child.services import make_colour_service, make_map_service
from subpixel.media.apart.messages.answer import OpenAnswer, pack_answer
from subpixel.media.apart.messages.failures import to_failure
from subpixel.media.apart.messages.job import (
    END_OF_ROWS,
    FAILURE,
    PIECE_HEAD,
    ROWS_HEAD,
    ROWS_SIGNAL,
    DecoderJob,
    unpack_job,
)
from subpixel.media.compression.read import UNKNOWN_COMPRESSION, Compression
from subpixel.media.display.render import render_srgb
from subpixel.media.libvips import HEAD_BYTES, FileContents
from subpixel.media.picture import Picture, Rows, Source, read_source
from subpixel.media.reading import CHUNK_ROWS, PictureFile, open_contents
from subpixel.system.processes.confinement import ProcessLimits, confine


@dataclass(frozen=True)
class _OpenFile:
    """What is read of, by rows."""

    source: Source
    compression: Compression


def serve_file(fd: int) -> None:
    """Open the file that the job says which comes through the socket ``fd``, answer, and give its
    rows as often as they are asked for, until the other end closes."""
    job = unpack_job(lambda size: _receive(fd, size))
    if job.task in ("colours", "gain map"):
        _serve_pieces(job, fd)
        return
    try:
        open_file = _open_job(job, fd)
        answer = OpenAnswer(open_file.source.header, open_file.source.memory, open_file.compression)
        message = pack_answer(answer)
    except Exception as error:
        _write(fd, pack_answer(to_failure(error, Path(job.file))))
        return
    _write(fd, message)
    while os.read(fd, 1) == ROWS_SIGNAL:
        _send_rows(fd, open_file.source, Path(job.file))


def _open_job(job: DecoderJob, fd: int) -> _OpenFile:
    contents = _take_contents(job, fd)
    in_place = contents.data is None
    file_bytes = contents.file.stat().st_size if in_place else 0
    limits = ProcessLimits(job.memory + contents.memory, job.seconds, file_bytes)
    confine(limits, [contents.file] if in_place else [])
    picture = open_contents(contents, job.max_pixels)
    if job.task == "show":
        return _OpenFile(_render_shown(picture), UNKNOWN_COMPRESSION)
    return _OpenFile(picture, picture.compression())


def _serve_pieces(job: DecoderJob, fd: int) -> None:
    """Turn pieces of bytes into others, until the other end closes."""
    data = _receive(fd, job.size or 0)
    confine(ProcessLimits(job.memory, job.seconds, 0), [])
    colours = job.task == "colours"
    serve = make_colour_service(data, job.numbers) if colours else make_map_service(job.numbers)
    while True:
        piece = _receive(fd, PIECE_HEAD.unpack(_receive(fd, PIECE_HEAD.size))[0])
        try:
            result = serve(piece)
        except Exception as error:
            failure = pack_answer(to_failure(error, Path(job.file)))
            _write(fd, PIECE_HEAD.pack(FAILURE) + failure)
            return
        _write(fd, PIECE_HEAD.pack(len(result)))
        _write(fd, result)


def _take_contents(job: DecoderJob, fd: int) -> FileContents:
    file = Path(job.file)
    if job.size is not None:
        data = _receive(fd, job.size)
        return FileContents(file, data[:HEAD_BYTES], (), data, job.max_bytes)
    os.chdir(job.folder)
    contents = FileContents.of(file, job.max_bytes)
    if contents.stamp != job.stamp:
        raise PictureError(f"{file} has changed while it was read; start anew")
    return contents


def _render_shown(picture: PictureFile) -> Picture:
    whole = read_source(picture)
    try:
        return replace(Picture(render_srgb(whole)[np.newaxis]), losses=whole.losses)
    except PictureError as error:
        raise PictureError(f"{picture.file}: {error}") from error


def _send_rows(fd: int, source: Source, file: Path) -> None:
    try:
        for rows in source.chunks():
            _send_chunk(fd, rows)
    except Exception as error:
        failure = pack_answer(to_failure(error, file))
        _write(fd, ROWS_HEAD.pack(FAILURE) + failure)
        return
    _write(fd, ROWS_HEAD.pack(END_OF_ROWS))


def _send_chunk(fd: int, rows: Rows) -> None:
    for top in range(0, len(rows), CHUNK_ROWS):
        part = rows[top : top + CHUNK_ROWS]
        _write(fd, ROWS_HEAD.pack(len(part)))
        _write(fd, np.ascontiguousarray(part).data.cast("B"))


def _receive(fd: int, size: int) -> bytes:
    whole = bytearray(size)
    rest = memoryview(whole)
    while rest:
        count = os.readv(fd, [rest])
        if not count:
            raise EOFError("whoever asked is gone")
        rest = rest[count:]
    return bytes(whole)


def _write(fd: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
