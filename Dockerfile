# What the jobs need, hash-locked; the workflow and its data stay outside. See docs/cluster.md.
FROM python:3.11-slim-bookworm
COPY requirements.lock /tmp/requirements.lock
RUN python -m pip install --no-cache-dir --no-deps --require-hashes -r /tmp/requirements.lock && rm /tmp/requirements.lock
