#!/bin/sh
# Clean: credentials come from the machine's role.
set -eu
aws sts get-caller-identity
docker compose up --detach
