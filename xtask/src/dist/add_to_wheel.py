"""Adds a folder to a wheel as data of its installation, below `share`, and to the list of its files.

Arguments: the wheel, the folder. Doing it twice changes nothing.
"""

import base64
import hashlib
import os
import sys
import zipfile
from pathlib import Path

wheel, folder = Path(sys.argv[1]), Path(sys.argv[2])
with zipfile.ZipFile(wheel) as packed:
    files = [(entry, packed.read(entry)) for entry in packed.infolist()]
(record,) = [entry for entry, _ in files if entry.filename.endswith(".dist-info/RECORD")]
data = record.filename.replace(".dist-info/RECORD", ".data/data/share/")

for path in sorted(folder.rglob("*")):
    if path.is_file():
        entry = zipfile.ZipInfo(data + path.relative_to(folder).as_posix(), record.date_time)
        entry.external_attr = 0o100644 << 16
        files.append((entry, path.read_bytes()))
unique = {entry.filename: (entry, body) for entry, body in files if entry is not record}

lines = []
for name, (_, body) in unique.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
    lines.append(f"{name},sha256={digest},{len(body)}\n")
lines.append(f"{record.filename},,\n")
made = wheel.with_suffix(".made")
with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
    for entry, body in [*unique.values(), (record, "".join(lines).encode())]:
        entry.compress_type = zipfile.ZIP_DEFLATED
        packed.writestr(entry, body)
os.replace(made, wheel)
