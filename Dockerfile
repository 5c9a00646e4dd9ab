# One image for every service: `docker run actorline worker control`, `worker fetch`, `beat`, `flower`, `gateway`, ...
# `--target parquet` has the library for Parquet besides, which takes as much as everything else together.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
# two wheels come with their symbols for debugging, 26 MB that nobody reads: `strip`
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils
# the environment has no pip of its own: what builds stays in this stage
RUN python3 -m venv --without-pip /opt/actorline
# dependencies first: their layer changes with the lock only. Each file is known by its hash, and nothing else is taken
COPY requirements requirements
RUN python3 -m pip --python /opt/actorline/bin/python install --require-hashes --no-deps -r requirements/image.txt \
    && python3 -m venv --without-pip /build/env \
    && python3 -m pip --python /build/env/bin/python install --require-hashes --no-deps -r requirements/build.txt \
    && cd /opt/actorline/lib/python3*/site-packages \
    && strip --strip-unneeded uvloop/*.so stringzilla*.so \
    && rm -rf tornado/test
COPY pyproject.toml README.md LICENSE ./
COPY actorline actorline
COPY config config
COPY tasks tasks
COPY workers workers
RUN python3 -m pip --python /build/env/bin/python wheel --no-build-isolation --no-deps --wheel-dir wheels . \
    && python3 -m pip --python /opt/actorline/bin/python install --no-index --no-deps wheels/*.whl

FROM python:3.11-slim AS runtime
# a fixed uid, so that a folder of the host can be given to it; a new volume at /rows takes its owner from here
RUN useradd --uid 10001 --no-log-init --home-dir /var/lib/actorline actorline \
    && install --directory --owner actorline --group actorline /var/lib/actorline /rows
ENV PATH=/opt/actorline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ACTORLINE_HOME=/var/lib/actorline \
    ACTORLINE_SINK_URL=file:///rows/{key}/
USER actorline
WORKDIR /var/lib/actorline
ENTRYPOINT ["actorline"]

FROM runtime AS base
COPY --from=build /opt/actorline /opt/actorline

FROM build AS build-parquet
RUN python3 -m pip --python /opt/actorline/bin/python install --require-hashes --no-deps -r requirements/parquet.txt \
    && cd /opt/actorline/lib/python3*/site-packages/pyarrow \
    && rm -rf tests include src

FROM runtime AS parquet
COPY --from=build-parquet /opt/actorline /opt/actorline

# what `docker build .` makes
FROM base
