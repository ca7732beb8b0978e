# One image for web, worker, control and beat; compose says which part a container is.
FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements/service.txt requirements/service.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/service.txt
COPY . .
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation -e .

FROM python:3.13-slim
# The same user and group number as the folder's owner should have; see docs/deployment.md.
ARG UID=1000
RUN useradd --uid "$UID" --create-home tarkeep \
    && mkdir -p /app/var /app/logs /app/temp /data \
    && chown -R tarkeep: /app /data
COPY --from=build /venv /venv
COPY --from=build --chown=tarkeep /app /app
WORKDIR /app
USER tarkeep
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
# Of whichever part runs here: each leaves its mark in the database every 15 seconds.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["python", "manage.py", "seen"]
CMD ["uvicorn", "backup_project.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--no-access-log", "--no-server-header", "--no-proxy-headers", "--lifespan", "on", \
     "--ws-max-size", "8192", "--ws-ping-interval", "45", \
     "--timeout-graceful-shutdown", "5"]
