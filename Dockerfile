# One image for the command and for Airflow: the locked packages, the project, and a user without rights.
FROM python:3.12-slim

ARG UV_VERSION=0.13.9
# Give your own (`id -u`): the workspaces are mounted from the host, and their files should be yours.
ARG VITALS_UID=1000
# The image has no repository: `--build-arg VITALS_COMMIT=$(git rev-parse HEAD)` tells it what ops.runs notes.
ARG VITALS_COMMIT=""

ENV VIRTUAL_ENV=/opt/venv \
    VITALS_COMMIT=$VITALS_COMMIT \
    PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/var/lib/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/vitals/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__CORE__PARALLELISM=4 \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    DO_NOT_TRACK=1 \
    GX_ANALYTICS_ENABLED=false \
    SCARF_ANALYTICS=false

RUN useradd --uid "$VITALS_UID" --create-home vitals \
    && install --directory --owner vitals --group vitals "$AIRFLOW_HOME" \
    && python -m venv "$VIRTUAL_ENV" \
    && pip install --no-cache-dir "uv==$UV_VERSION"

WORKDIR /opt/vitals
# The packages before the project: they change seldom. All come as wheels, so no compiler is needed.
COPY requirements.lock ./
RUN uv pip sync --no-cache --no-build --compile-bytecode requirements.lock

# .dockerignore lets in what runs: no tests, no data.
COPY . .
RUN uv pip install --no-cache --no-deps --no-build-isolation --editable .

USER vitals
CMD ["vitals", "--help"]
