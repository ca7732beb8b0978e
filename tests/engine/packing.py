"""Pack a folder with the engine's own stages into bytes, without a bucket."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from worker.engine.archive import manifest
from worker.engine.archive.frames import Kind, seal
from worker.engine.archive.index import Index
from worker.engine.archive.keys import MasterKey
from worker.engine.capture.pack import Packer
from worker.engine.capture.packing import Packing, Threads
from worker.engine.capture.parts import PartWriter
from worker.engine.capture.pipeline import Pipeline
from worker.engine.capture.scan import Scan, open_root
from worker.engine.capture.sizes import Sizes
from worker.engine.progress import Progress, SourceWarning
from worker.engine.storage import StoredObject


@dataclass
class Collected:
    """An upload that keeps its parts."""

    parts: dict[int, bytes] = field(default_factory=dict)
    upload_id: str = "collected"

    def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None:
        self.parts[number] = bytes(data)

    def complete(self) -> StoredObject:
        raise NotImplementedError

    def abort(self) -> None:
        self.parts.clear()

    def __enter__(self) -> Collected:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def joined(self) -> bytes:
        return b"".join(self.parts[number] for number in sorted(self.parts))


@dataclass
class Heard(Progress):
    """Remembers the warnings."""

    warnings: list[SourceWarning] = field(default_factory=list)

    def warn(self, warning: SourceWarning) -> None:
        self.warnings.append(warning)

    @property
    def codes(self) -> list[str]:
        return sorted(w.code for w in self.warnings)


def pack_folder(
    folder: Path,
    work: Path,
    *,
    master: MasterKey | None = None,
    level: int = 6,
    segment_size: int = 4 * 1024 * 1024,
    part: int = 8 * 1024 * 1024,
    progress: Progress | None = None,
    name: str = "backup.tar.gz",
    packing: Packing | None = None,
) -> bytes:
    """The archive of `folder` as it would lie in the bucket."""
    progress = progress or Progress()
    work.mkdir(exist_ok=True)
    path = work / "index.sqlite3"
    path.unlink(missing_ok=True)
    index, root, upload = Index(path), open_root(folder), Collected()
    try:
        Scan(root, index, progress, (work,)).run()
        with PartWriter(upload, part) as writer:
            with Pipeline(
                writer=writer,
                index=index,
                progress=progress,
                level=level,
                packing=packing or Threads(master),
            ) as pipeline:
                with closing(
                    Packer(
                        root=root,
                        data_dir=folder,
                        temp_dir=work,
                        index=index,
                        progress=progress,
                        sizes=Sizes(segment_size, segment_size, segment_size),
                    )
                ) as packer:
                    packer.run(pipeline.submit)
                    packer.finish_checks()
                pipeline.drain()
            index.finish({"name": name})
            if master is not None:
                told = manifest.Manifest(name, "2026-01-01T00:00:00.000Z", records=pipeline.records)
                frame = seal(Kind.MANIFEST, told.dump(), master)
                writer.write(frame)
                writer.write(manifest.trailer(frame))
            writer.finish()
    finally:
        index.close()
        os.close(root)
    return upload.joined()
