"""What a backup that broke off leaves behind, so that the next one need not send it again.

While parts go up, `journal.py` notes in the temporary folder which segment lies where in the
upload and which files it holds. The next run reads that (`layout.py`), lets the server close the
upload over the parts that it really has (`salvage.py`), and takes unchanged segments over from
there exactly as it does from the last backup.
"""
