# WarnHub as a container: one process, one volume. See docs/operations.md, "In a container".
FROM python:3.12-slim AS build
RUN pip install --no-cache-dir --disable-pip-version-check uv
WORKDIR /opt/warnhub
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
# The dependencies first: they change seldom, and their layer is kept.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project
COPY README.md LICENSE ./
COPY src src
COPY adapters adapters
COPY alembic alembic
# Not editable: what runs is the wheel, which carries its migrations (warnhub_migrations).
RUN uv sync --frozen --no-dev --no-editable

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/warnhub warnhub
COPY --from=build /opt/warnhub/.venv /opt/warnhub/.venv
# For `alembic revision` and for eyes; `warnhub db upgrade` uses the wheel's own copy.
COPY alembic.ini /opt/warnhub/
COPY alembic /opt/warnhub/alembic
ENV PATH=/opt/warnhub/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    WARNHUB_HOST=0.0.0.0 \
    WARNHUB_PORT=8080 \
    WARNHUB_DATABASE_URL=sqlite:////var/lib/warnhub/warnhub.sqlite3 \
    WARNHUB_AUDIO_DIR=/var/lib/warnhub/audio
USER warnhub
WORKDIR /var/lib/warnhub
VOLUME /var/lib/warnhub
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['WARNHUB_PORT']}/healthz\", timeout=4)"]
ENTRYPOINT ["warnhub"]
CMD ["serve"]
