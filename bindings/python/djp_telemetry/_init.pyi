"""The type of init_telemetry(): every option by its name. A test holds it to the core's table of settings."""

from datetime import timedelta
from os import PathLike
from typing import Any, Iterable, Literal, Mapping, Optional, Union

from .sampling import Sampler

__all__ = ["init_telemetry"]

_Seconds = Union[float, timedelta, None]
_Path = Union[str, PathLike[str], None]
_List = Union[str, Iterable[str], None]
_Pairs = Union[str, Mapping[str, Any], None]

def init_telemetry(
    *,
    enabled: Optional[bool] = None,
    backend: Optional[str] = None,
    service_name: Optional[str] = None,
    service_namespace: Optional[str] = None,
    service_version: Optional[str] = None,
    environment: Optional[str] = None,
    resource_attributes: _Pairs = None,
    exporter: Optional[str] = None,
    sampler: Union[str, Sampler, None] = None,
    parent_based: Optional[bool] = None,
    sample_ratio: Optional[float] = None,
    canary_ratio: Optional[float] = None,
    remote_sampling_endpoint: Optional[str] = None,
    remote_sampling_interval: _Seconds = None,
    overrides_file: _Path = None,
    target_spans_per_second: Optional[float] = None,
    target_bytes_per_second: Optional[float] = None,
    span_rate_limit: Optional[float] = None,
    budget_per_month: Optional[float] = None,
    price_per_gb: Optional[float] = None,
    price_per_million_spans: Optional[float] = None,
    price_per_thousand_series: Optional[float] = None,
    budget_file: _Path = None,
    slow_threshold: _Seconds = None,
    sample_errors: Optional[bool] = None,
    tail_sampling_rules: _List = None,
    endpoint: Optional[str] = None,
    protocol: Optional[str] = None,
    headers: _Pairs = None,
    export_timeout: _Seconds = None,
    compression: Optional[Literal["none", "gzip"]] = None,
    insecure: Optional[bool] = None,
    certificate: _Path = None,
    extra_certificate: _Path = None,
    client_key: _Path = None,
    client_certificate: _Path = None,
    http_proxy: Optional[str] = None,
    https_proxy: Optional[str] = None,
    no_proxy: _List = None,
    file_path: _Path = None,
    console_format: Optional[Literal["auto", "json", "pretty"]] = None,
    max_request_bytes: Optional[int] = None,
    max_response_bytes: Optional[int] = None,
    ring_bytes: Optional[int] = None,
    flush_interval: _Seconds = None,
    max_batch_spans: Optional[int] = None,
    export_concurrency: Optional[int] = None,
    shutdown_timeout: _Seconds = None,
    decision_buffer_bytes: Optional[int] = None,
    decision_wait: _Seconds = None,
    attribute_count_limit: Optional[int] = None,
    attribute_value_length_limit: Optional[int] = None,
    event_count_limit: Optional[int] = None,
    link_count_limit: Optional[int] = None,
    event_attribute_count_limit: Optional[int] = None,
    link_attribute_count_limit: Optional[int] = None,
    metrics_enabled: Optional[bool] = None,
    prometheus_port: Optional[int] = None,
    prometheus_host: Optional[str] = None,
    cardinality_limit: Optional[int] = None,
    status_class: Optional[Literal["code", "class"]] = None,
    label_style: Optional[Literal["endpoint", "path"]] = None,
    sdk_metrics: Optional[Literal["basic", "otel"]] = None,
    semconv: Optional[Literal["old", "stable", "both", "http", "http/dup"]] = None,
    excluded_paths: _List = None,
    propagators: _List = None,
    known_methods: _List = None,
    log_level: Optional[Literal["none", "error", "warn", "info", "debug"]] = None,
    handle_sigterm: Optional[bool] = None,
    log_correlation: Optional[bool] = None,
) -> None: ...
