/* Metrics: families of series in one memory segment, recorded without locks, read as
 * one snapshot. Recording calls accept NULL and never fail; invalid values (NaN,
 * negative counter increments) are counted as dropped. A series handle is valid as long
 * as its registry. */
#ifndef DJP_METRICS_H
#define DJP_METRICS_H

#include "djp/context.h"
#include "djp/value.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct djp_registry djp_registry;
typedef struct djp_family djp_family;
typedef struct djp_series djp_series;

typedef enum djp_metric_type {
    DJP_COUNTER = 1,
    DJP_GAUGE = 2,
    DJP_HISTOGRAM = 3
} djp_metric_type;

/* How the values of one gauge in several processes become one. The modes with LIVE
 * leave out processes that have ended. In one process every mode shows its value. */
typedef enum djp_gauge_mode {
    DJP_GAUGE_ALL = 0, /* a series for each process */
    DJP_GAUGE_LIVEALL = 1,
    DJP_GAUGE_MIN = 2,
    DJP_GAUGE_LIVEMIN = 3,
    DJP_GAUGE_MAX = 4,
    DJP_GAUGE_LIVEMAX = 5,
    DJP_GAUGE_SUM = 6,
    DJP_GAUGE_LIVESUM = 7,
    DJP_GAUGE_MOSTRECENT = 8, /* the value set last */
    DJP_GAUGE_LIVEMOSTRECENT = 9,
    DJP_GAUGE_LIVEAVERAGE = 10,
    DJP_GAUGE_OMIT = 11 /* not shown for several processes */
} djp_gauge_mode;

/* Reads a mode by its name in prometheus_client: all, liveall, min, livemin, max,
 * livemax, sum, livesum, mostrecent, livemostrecent. Returns 0 or DJP_EINVAL. */
int djp_gauge_mode_parse(djp_gauge_mode *out, djp_text name);
/* Reads a mode by the name of an aggregator of prom-client: sum, min, max, average,
 * omit, and first, which is LIVEMOSTRECENT. The same results. */
int djp_gauge_aggregator_parse(djp_gauge_mode *out, djp_text name);

#define DJP_LABELS_MAX 32u
/* bytes; longer values are cut at a character boundary */
#define DJP_LABEL_SIZE_MAX 1024u
#define DJP_BUCKETS_MAX 160u

/* Which processes record into the same series. */
typedef enum djp_metrics_sharing {
    DJP_SHARE_NONE = 0, /* this process only; a forked child goes on with a copy */
    DJP_SHARE_FORK = 1, /* forked children, too */
    DJP_SHARE_DIR = 2 /* all processes of this user that name the same directory */
} djp_metrics_sharing;

/* Which recordings inside a span may become an exemplar. */
typedef enum djp_exemplar_filter {
    DJP_EXEMPLARS_TRACE_BASED = 0, /* of sampled spans */
    DJP_EXEMPLARS_ALWAYS_ON = 1,
    DJP_EXEMPLARS_ALWAYS_OFF = 2
} djp_exemplar_filter;

typedef struct djp_registry_options {
    /* reserved address space; 0: 64 MiB. Memory is used when a page is touched */
    uint64_t reserve_bytes;
    /* series per family; 0: 2000. All further label sets share one overflow series */
    uint32_t cardinality_limit;
    /* 1: OpenMetrics output has the start time of counters and histograms (_created) */
    int created_samples;
    djp_metrics_sharing sharing;
    /* DJP_SHARE_DIR: a directory of a local file system, created if its parent exists,
     * or a result of djp_registry_name. Borrowed */
    const char *shared_dir;
    /* 1: for a language that records through shards (djp/shard.h): private memory has
     * room for them, too, and forked children do not record */
    int writers;
    /* 1: all histograms keep exponential buckets that do not forbid it */
    int exponential_histograms;
    djp_exemplar_filter exemplar_filter;
} djp_registry_options;
#define DJP_REGISTRY_OPTIONS_INIT                                      \
    {                                                                  \
        0, 0, 0, DJP_SHARE_NONE, NULL, 0, 0, DJP_EXEMPLARS_TRACE_BASED \
    }

/* Creates a registry. With sharing, one exposition of any process shows the numbers of
 * all of them, including those that have ended; up to 128 processes may live at a time.
 * If the memory cannot be shared as asked, it is private to the process; see
 * djp_registry_sharing. Returns 0 or DJP_ENOMEM. */
int djp_registry_new(djp_registry **out, const djp_registry_options *options);
/* Returns how the memory is shared. If that is less than asked, problem is why
 * (static) and error the errno of it or 0; otherwise problem is NULL. */
djp_metrics_sharing
djp_registry_sharing(const char **problem, int *error, const djp_registry *registry);
/* Returns the directory of DJP_SHARE_DIR, or "". Valid as long as the registry. */
const char *djp_registry_directory(const djp_registry *registry);
/* Returns what another process sets as shared_dir to record into the same metrics: the
 * directory; with DJP_SHARE_FORK and writers a name of the memory, written to room,
 * which is valid while this process lives; else "". 48 bytes are enough. */
const char *djp_registry_name(const djp_registry *registry, char *room, size_t size);
/* Frees the registry with all families and series. In shared memory the numbers
 * remain. Accepts NULL. */
void djp_registry_free(djp_registry *registry);

/* Whether a histogram keeps base-2 exponential buckets beside its explicit ones: up to
 * 160, at the highest scale from 20 downwards that holds all values. They are shown as
 * a native histogram where the format has it. */
typedef enum djp_exponential {
    DJP_EXPONENTIAL_DEFAULT = 0, /* as the registry has it */
    DJP_EXPONENTIAL_ON = 1,
    DJP_EXPONENTIAL_OFF = 2
} djp_exponential;

typedef struct djp_family_options {
    djp_metric_type type;
    /* With or without the "_total" of counters; characters invalid in Prometheus become
     * '_'. */
    const char *name;
    const char *help; /* NULL: none */
    /* "", a word ("seconds") or a code ("ms", "By", "1", "{request}"); appended to the
     * name if missing. NULL: "". */
    const char *unit;
    /* Label names; characters invalid in Prometheus become '_'. */
    const char *const *labels;
    size_t label_count; /* 0 .. DJP_LABELS_MAX */
    /* Ascending upper bounds without +Inf; NULL: those of the documented family with
     * this name and these labels, else those of HTTP server durations. */
    const double *buckets;
    size_t bucket_count; /* 0 .. DJP_BUCKETS_MAX */
    djp_gauge_mode mode; /* gauges only */
    /* 1: describes the process; an exposition shows the process that writes it */
    int per_process;
    djp_exponential exponential; /* histograms only */
} djp_family_options;
/* A counter; set name. */
#define DJP_FAMILY_OPTIONS_INIT                                            \
    {                                                                      \
        DJP_COUNTER, NULL, NULL, NULL, NULL, 0, NULL, 0, DJP_GAUGE_ALL, 0, \
            DJP_EXPONENTIAL_DEFAULT                                        \
    }

/* Creates a family, or finds it if it has the same definition. Copies everything.
 * Returns 0; DJP_EEXIST if the name exists with another type, mode, other labels or
 * buckets; DJP_EINVAL for an invalid name or label; DJP_EFULL when the segment is full.
 * A documented family (docs/metrics.md) is shared even if buckets or mode differ: the
 * first ones remain, and the result is 1 for other buckets. Names and units are
 * translated as in the OpenTelemetry specification "Prometheus and OpenMetrics
 * Compatibility". Any thread. */
int djp_family_new(djp_family **out, djp_registry *registry,
                   const djp_family_options *options);

/* Returns the series of a label set, created at first use; beyond the limit the
 * overflow series; NULL for a NULL family. values (borrowed) holds one text per label,
 * in the family's order. Any thread; lock-free for an existing series. */
djp_series *djp_family_series(djp_family *family, const djp_text *values);
/* Removes a series from all output; later recordings through its handles are dropped.
 * Returns 1 if it existed. */
int djp_family_remove(djp_family *family, const djp_text *values);
/* Removes all series of the family. Accepts NULL. Any thread. */
void djp_family_clear(djp_family *family);
/* Borrows from the family; "" for NULL. */
const char *djp_family_name(const djp_family *family);
size_t djp_family_label_count(const djp_family *family); /* 0 for NULL */

/* Recording. Any thread, lock-free. */
void djp_counter_add(djp_series *series, double amount);
void djp_gauge_set(djp_series *series, double value);
void djp_gauge_add(djp_series *series, double amount);
void djp_gauge_set_to_now(djp_series *series); /* Unix time in seconds */
void djp_histogram_observe(djp_series *series, double value);
/* Adds an exemplar if context (borrowed) is valid and passes the registry's filter. */
void djp_histogram_observe_with_context(djp_series *series, double value,
                                        const djp_span_context *context);
/* Adds observations that were counted elsewhere: of each bucket, the last one that of
 * +Inf, and their sum. Another number of buckets is dropped. */
void
djp_histogram_add(djp_series *series, const uint64_t *counts, size_t count, double sum);
/* Adds an exemplar, without a recording, for a value that is counted elsewhere, as in a
 * shard (djp/shard.h). */
void djp_series_add_exemplar(djp_series *series, double value,
                             const djp_span_context *context);
/* Counts as dropped the recordings that a binding refused. Accepts NULL. */
void djp_registry_add_dropped(djp_registry *registry, uint64_t recordings);
void djp_counter_add_with_context(djp_series *series, double amount,
                                  const djp_span_context *context);

/* Reading. */
/* value of a counter or gauge; sum of a histogram */
double djp_series_value(const djp_series *series);
int djp_series_is_live(const djp_series *series); /* 0: NULL or removed */
/* 1: the series that label sets beyond the limit share */
int djp_series_is_overflow(const djp_series *series);
/* Sets *out to the upper bounds of a histogram, without +Inf, valid as long as the
 * registry. Returns their number; 0 for other series and NULL. */
size_t djp_series_bounds(const double **out, const djp_series *series);
uint64_t djp_series_count(const djp_series *series); /* observations of a histogram */
/* Sets the sum of a histogram and the observations of each bucket, the last one that of
 * +Inf, at most `capacity`. Returns the number of buckets; 0, and sets nothing, for
 * other series, a removed one and NULL. */
size_t djp_series_counts(double *sum, uint64_t *out, size_t capacity,
                         const djp_series *series);

/* A format, and with all but DJP_TEXT_0_0_4 and DJP_OPENMETRICS_0_0_1 how it writes a
 * name with characters outside of [a-zA-Z0-9_:]; both values added. */
typedef enum djp_exposition {
    DJP_TEXT_0_0_4 = 0,
    DJP_OPENMETRICS_1_0_0 = 1,
    DJP_TEXT_1_0_0 = 2,
    DJP_PROTOBUF_DELIMITED = 3, /* io.prometheus.client.MetricFamily, with lengths */
    DJP_OPENMETRICS_2_0_0 = 4, /* the release candidate of March 2026 */
    DJP_OPENMETRICS_0_0_1 = 5,
    DJP_EXPOSITION_FORMAT = 0xff, /* mask of the format */

    DJP_ESCAPE_UNDERSCORES = 0, /* a.b as a_b */
    DJP_ESCAPE_DOTS = 0x100, /* a_dot_b */
    DJP_ESCAPE_VALUES = 0x200, /* U__a_2e_b */
    DJP_ALLOW_UTF_8 = 0x300 /* as it is, quoted in text */
} djp_exposition;

/* Selects a format by the q-values of an Accept header; DJP_TEXT_0_0_4 for an empty
 * one. */
djp_exposition djp_exposition_negotiate(djp_text accept);
/* The same among the formats of text, for a program that keeps it as text. */
djp_exposition djp_exposition_negotiate_text(djp_text accept);
/* Returns the Content-Type header of a format, static. */
const char *djp_exposition_content_type(djp_exposition format);
/* Writes all metrics into memory that the caller frees with djp_free. Returns 0,
 * DJP_EINVAL or DJP_ENOMEM. Needs no lock of the language runtime; may run during
 * recording calls. */
int djp_registry_expose(char **out, size_t *out_size, djp_registry *registry,
                        djp_exposition format);
/* Replaces text, a result of djp_registry_expose, with its gzip form and sets size, if
 * Accept-Encoding (borrowed, may be empty) accepts gzip and the text is large enough.
 * Returns 1 if it did. */
int djp_exposition_pack(char **text, size_t *size, djp_text accept_encoding);
/* Frees memory returned by the functions of this interface. Accepts NULL. */
void djp_free(char *text);

/* Adds the process metrics (process_cpu_seconds_total, process_resident_memory_bytes,
 * ...), read from /proc at each exposition. Returns 0 or an error of djp_family_new. */
int djp_registry_add_process(djp_registry *registry);

/* Records in a family of the language runtime (docs/metrics.md): adds to a counter,
 * sets a gauge, observes in a histogram. The name is that of the scrape, a counter's
 * without
 * "_total"; labels (borrowed) holds one text per label. Does nothing unless the setting
 * runtime_metrics is on. Returns 0, or DJP_EINVAL and counts a dropped recording for an
 * unknown name, another number of labels, or a name that the application uses. */
int djp_runtime_record(djp_registry *registry, const char *name, const djp_text *labels,
                       size_t label_count, double value);
/* Returns 1 if the metrics were exposed or exported since the call before, so that
 * values over the time between two readings begin again. */
int djp_runtime_was_read(djp_registry *registry);

/* The documented families of HTTP servers, jobs, external calls and models
 * (docs/metrics.md), each created at first use. */
typedef struct djp_builtin djp_builtin;
typedef struct djp_builtin_options {
    int status_class; /* 2xx instead of 200 */
    /* labels method, path, status, service instead of method, endpoint, status_code */
    int label_style_path;
    const char *service; /* value of the service label with label_style_path */
    /* comma-separated upper-case methods; NULL or "": the default list. Copied */
    const char *known_methods;
    /* Called once for each documented family whose name the application uses for
     * another family, in the thread of the recording call. Its recordings are counted
     * as dropped. user is borrowed. May be NULL. */
    void (*on_taken)(void *user, const char *name);
    void *user;
    /* 1: djp_builtin_http_enter counts; the setting semconv is not old */
    int conventions;
} djp_builtin_options;
#define DJP_BUILTIN_OPTIONS_INIT        \
    {                                   \
        0, 0, NULL, NULL, NULL, NULL, 0 \
    }
/* Copies the texts of options (may be NULL); borrows registry, which must outlive it.
 * Returns 0, DJP_EINVAL or DJP_ENOMEM. */
int djp_builtin_new(djp_builtin **out, djp_registry *registry,
                    const djp_builtin_options *options);
/* Accepts NULL. */
void djp_builtin_free(djp_builtin *builtin);
/* Records one HTTP request: http_request_duration_seconds and http_requests_total, and
 * http_request_size_bytes if request_bytes >= 0. Methods that are not known become
 * "_OTHER", status codes outside 100 .. 599 "other". The labels are cached. */
void djp_builtin_http_request(djp_builtin *builtin, djp_text method, djp_text endpoint,
                              int status_code, uint64_t duration_ns,
                              int64_t request_bytes, const djp_span_context *context);
/* Counts the request without a duration, and counts a dropped recording. */
#define DJP_DURATION_UNKNOWN UINT64_MAX
/* Counts a request that begins in http_server_active_requests, a gauge of the
 * OpenTelemetry conventions, under its method and scheme ("http", "https", else empty).
 * builtin may be NULL. Returns the mark for djp_builtin_http_leave; 0: not counted,
 * because conventions is 0. Borrows. Any thread. */
uint32_t djp_builtin_http_enter(djp_builtin *builtin, djp_text method, djp_text scheme);
/* The request has ended. mark: from the same builtin, used once; 0 does nothing. */
void djp_builtin_http_leave(djp_builtin *builtin, uint32_t mark);
/* Records in a documented family except the three of HTTP: adds to a counter, sets a
 * gauge, observes in a histogram. labels (borrowed) holds one text per label; context
 * (may be NULL) adds an exemplar. Returns 0, or DJP_EINVAL and counts the recording as
 * dropped for a value that is not finite, a negative duration or amount, or an
 * unavailable family. */
int
djp_builtin_record(djp_builtin *builtin, const char *name, const djp_text *labels,
                   size_t label_count, double value, const djp_span_context *context);
/* Returns the family of a documented name (docs/metrics.md, with or without "_total"),
 * created by the first call, or NULL. */
djp_family *djp_builtin_family(djp_builtin *builtin, const char *name);

/* Turns a raw path into a label, for requests without a route template. Identifiers
 * become {id} and file names {file}, in whole segments; query and fragment are removed.
 * Writes at most out_size - 1 bytes, cut between segments, and a NUL. Returns the
 * length. */
size_t djp_path_normalise(char *out, size_t out_size, djp_text path);

#ifdef __cplusplus
}
#endif
#endif
