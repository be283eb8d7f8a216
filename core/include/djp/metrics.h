/* Metrics: families of series in one segment of memory, recorded without locks, read
 * as one snapshot. Recording calls accept NULL and never fail; values that make no
 * sense (NaN counters, negative increments) are counted as dropped. Series handles
 * live as long as their registry. */
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

#define DJP_LABELS_MAX 32u
/* bytes of one label value; longer ones are cut at a character boundary */
#define DJP_LABEL_SIZE_MAX 1024u
#define DJP_BUCKETS_MAX 160u

typedef struct djp_registry_options {
    /* address space; 0: 64 MiB. Pages are used only when touched */
    uint64_t reserve_bytes;
    /* series per family; 0: 2000. Further label sets share one overflow series */
    uint32_t cardinality_limit;
    /* 1: OpenMetrics shows when counters and histograms began (_created) */
    int created_samples;
} djp_registry_options;
#define DJP_REGISTRY_OPTIONS_INIT \
    {                             \
        0, 0, 0                   \
    }

/* Private memory for one process. Returns 0 or DJP_ENOMEM. */
int djp_registry_new(djp_registry **out, const djp_registry_options *options);
void djp_registry_free(djp_registry *registry);

typedef struct djp_family_options {
    djp_metric_type type;
    /* With or without the "_total" of counters; what Prometheus does not take
     * becomes '_'. */
    const char *name;
    const char *help; /* NULL: none */
    /* "", a word ("seconds") or a code ("ms", "By", "1", "{request}"); ends the name
     * if it does not yet. NULL: "". */
    const char *unit;
    /* Names of labels; what Prometheus does not take becomes '_'. */
    const char *const *labels;
    size_t label_count; /* 0 .. DJP_LABELS_MAX */
    /* Upper bounds, ascending, without +Inf; NULL: those of the documented family of
     * this name and labels, else those of the HTTP server. */
    const double *buckets;
    size_t bucket_count; /* 0 .. DJP_BUCKETS_MAX */
} djp_family_options;
/* A counter; name is to be set. */
#define DJP_FAMILY_OPTIONS_INIT                         \
    {                                                   \
        DJP_COUNTER, NULL, NULL, NULL, NULL, 0, NULL, 0 \
    }

/* Creates or finds a family. The same definition twice gives the same family;
 * another type, other labels or buckets under a taken name give DJP_EEXIST. A
 * documented family (docs/metrics.md) is shared even if the buckets differ: the
 * result is then 1 and the buckets of the first hold. Otherwise 0; DJP_EINVAL for a
 * bad name or labels, DJP_EFULL when the segment is full. Copies everything. Any
 * thread. Names and units are translated as the OpenTelemetry specification says in
 * "Prometheus and OpenMetrics Compatibility". */
int djp_family_new(djp_family **out, djp_registry *registry,
                   const djp_family_options *options);

/* The series of a label set, created at first use; beyond the limit the overflow
 * series. NULL family gives NULL. values holds as many texts as the family has
 * labels (in its order); borrowed for the call. Any thread; lock-free when it
 * exists. */
djp_series *djp_family_series(djp_family *family, const djp_text *values);
/* Forgets a series: it is no longer shown, later recordings through old handles are
 * dropped. Returns 1 when it existed. */
int djp_family_remove(djp_family *family, const djp_text *values);
void djp_family_clear(djp_family *family);
const char *djp_family_name(const djp_family *family);
size_t djp_family_label_count(const djp_family *family); /* 0 for NULL */

void djp_counter_add(djp_series *series, double amount);
void djp_gauge_set(djp_series *series, double value);
void djp_gauge_add(djp_series *series, double amount);
void djp_gauge_set_to_now(djp_series *series); /* Unix time in seconds */
void djp_histogram_observe(djp_series *series, double value);
/* Attaches an exemplar when the context is valid and sampled; borrows. */
void djp_histogram_observe_with_context(djp_series *series, double value,
                                        const djp_span_context *context);
/* An exemplar for a value that is counted elsewhere, as in a shard (djp/shard.h);
 * records nothing. */
void djp_series_add_exemplar(djp_series *series, double value,
                             const djp_span_context *context);
/* Counts recordings that a binding refused as dropped. Accepts NULL. */
void djp_registry_add_dropped(djp_registry *registry, uint64_t recordings);
void djp_counter_add_with_context(djp_series *series, double amount,
                                  const djp_span_context *context);

/* Reading, for tests and user code. */
/* counters and gauges; the sum for histograms */
double djp_series_value(const djp_series *series);
int djp_series_is_live(const djp_series *series); /* 0: NULL, or it was removed */
/* 1: shared by the label sets beyond the limit */
int djp_series_is_overflow(const djp_series *series);
/* The upper bounds of a histogram without +Inf, valid as long as the registry;
 * returns their number, 0 for others and NULL. */
size_t djp_series_bounds(const double **out, const djp_series *series);
uint64_t djp_series_count(const djp_series *series); /* histograms: observations */

typedef enum djp_exposition {
    DJP_TEXT_0_0_4 = 0,
    DJP_OPENMETRICS_1_0_0 = 1
} djp_exposition;

/* Chooses by the q-values of an Accept header (may be NULL); the default is
 * DJP_TEXT_0_0_4. */
djp_exposition djp_exposition_negotiate(djp_text accept);
const char *djp_exposition_content_type(djp_exposition format);
/* Writes the whole exposition into fresh memory that the caller frees with djp_free.
 * Returns 0 or DJP_ENOMEM. Takes no language lock; safe beside any recording. */
int djp_registry_expose(char **out, size_t *out_size, djp_registry *registry,
                        djp_exposition format);
/* Replaces text, which came from djp_registry_expose, by its gzip form when an
 * Accept-Encoding header (borrowed; may be empty) takes that and it is worth it.
 * Returns 1 when it did, and size is the new one. */
int djp_exposition_pack(char **text, size_t *size, djp_text accept_encoding);
void djp_free(char *text);

/* Process families (process_cpu_seconds_total, process_resident_memory_bytes, ...),
 * read from /proc at each exposition. */
int djp_registry_add_process(djp_registry *registry);

/* The documented families of HTTP servers, jobs, external calls and models (see
 * docs/metrics.md). Created on demand. */
typedef struct djp_builtin djp_builtin;
typedef struct djp_builtin_options {
    int status_class; /* 2xx instead of 200 */
    /* method, path, status, service instead of method, endpoint, status_code */
    int label_style_path;
    const char *service; /* value of the service label in that style */
    /* comma list of upper-case methods; NULL or "": the usual ones. Copied */
    const char *known_methods;
    /* Called once for each documented family whose name the application has given to
     * another one, by the thread that would have recorded in it. What cannot be
     * recorded is counted as dropped. user is borrowed. May be NULL. */
    void (*on_taken)(void *user, const char *name);
    void *user;
} djp_builtin_options;
#define DJP_BUILTIN_OPTIONS_INIT     \
    {                                \
        0, 0, NULL, NULL, NULL, NULL \
    }
int djp_builtin_new(djp_builtin **out, djp_registry *registry,
                    const djp_builtin_options *options);
void djp_builtin_free(djp_builtin *standard);
/* One HTTP request: http_request_duration_seconds and http_requests_total, plus
 * http_request_size_bytes when size >= 0. method is mapped to the known ones or
 * "_OTHER"; codes outside 100-599 become "other". Label look-up is cached. */
void djp_builtin_http_request(djp_builtin *standard, djp_text method, djp_text endpoint,
                              int status_code, uint64_t duration_ns,
                              int64_t request_bytes, const djp_span_context *context);
/* The request is counted, its duration is not (and that is counted as dropped). */
#define DJP_DURATION_UNKNOWN UINT64_MAX
/* Records in a documented family other than the three of HTTP: adds to a counter,
 * sets a gauge, observes in a histogram. labels: as many as the family has,
 * borrowed. context (may be NULL) gives the exemplar. Returns 0, or DJP_EINVAL,
 * counted as dropped, for a value that is not finite, a negative duration or amount,
 * and a family that cannot be had. */
int
djp_builtin_record(djp_builtin *standard, const char *name, const djp_text *labels,
                   size_t label_count, double value, const djp_span_context *context);
/* Finds the family under its documented name (docs/metrics.md; "_total" of counters
 * may be left out) or NULL. Created at the first call, so that a service without
 * jobs shows no job families. */
djp_family *djp_builtin_family(djp_builtin *standard, const char *name);

/* A raw path as a label, for the case that no route template is known: identifiers
 * become {id}, file names {file}, query and fragment go. Whole segments only. Writes
 * at most out_size - 1 bytes and a NUL, cut between segments, and returns the
 * length. */
size_t djp_path_normalise(char *out, size_t out_size, djp_text path);

#ifdef __cplusplus
}
#endif
#endif
