"""Stacks and match collections carried between projects, owners, servers and files.

What is carried arrives whole or is carried on: every layer of a stack, every group of a collection is read back and
compared with what was sent, and a call that was interrupted, wherever, is finished by the same call.
"""

from renderapi.transfer.carrying import TransferResult
from renderapi.transfer.digests import digest_files, digest_matches, digest_stack
from renderapi.transfer.files import FORMATS
from renderapi.transfer.matches import copy_matches, export_matches, import_matches, move_matches
from renderapi.transfer.parts import ContentDigest, PartDigest
from renderapi.transfer.stacks import copy_stack, export_stack, import_stack, move_stack

__all__ = [
    "FORMATS",
    "ContentDigest",
    "PartDigest",
    "TransferResult",
    "copy_matches",
    "copy_stack",
    "digest_files",
    "digest_matches",
    "digest_stack",
    "export_matches",
    "export_stack",
    "import_matches",
    "import_stack",
    "move_matches",
    "move_stack",
]
