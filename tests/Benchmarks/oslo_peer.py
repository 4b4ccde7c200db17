"""Inspects every file of a directory with oslo.utils, in one process. Prints seconds a file, after a warm-up pass.

With --verdicts, prints a line of JSON for each file instead.
"""
import json
import logging
import os
import sys
import time

from oslo_utils.imageutils import format_inspector

logging.disable(logging.CRITICAL)


def inspect(path):
    try:
        inspector = format_inspector.detect_file_format(path)
    except format_inspector.ImageFormatError as error:
        return None, [f'error: {error}']
    except Exception as error:
        return None, [f'{type(error).__name__}: {error}']
    try:
        inspector.safety_check()
        return str(inspector), []
    except format_inspector.SafetyCheckFailed as error:
        return str(inspector), sorted(error.failures)
    except Exception as error:
        return str(inspector), [f'{type(error).__name__}: {error}']


directory = sys.argv[1]
files = sorted(os.path.join(directory, name) for name in os.listdir(directory))
if '--verdicts' in sys.argv:
    for file in files:
        name, failures = inspect(file)
        print(json.dumps({'name': os.path.basename(file), 'format': name, 'failures': failures}))
else:
    for file in files[:50]:
        inspect(file)
    start = time.perf_counter()
    for file in files:
        inspect(file)
    print((time.perf_counter() - start) / len(files))
