/* Encoding spans: our writer beside protobuf-c on the same spans in one run. Each chunk encodes one
 * batch; the minimum over many chunks is what the code costs when nothing else disturbs it.
 * protobuf-c packs messages that are already made. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "export/otlp_trace.h"
#include "gen/otlp_trace.pb-c.h"

#include "otlp_oracle.c"
#include "record_builder.c"

enum { BATCH = 512, CHUNKS = 400 };

static double
bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

typedef struct bench_best {
    double add, finish, pack, json;
} bench_best;

static void
bench_min(double *best, double value)
{
    if (*best == 0 || value < *best) {
        *best = value;
    }
}

static void
bench_ours(bench_best *best, djp__encoder *encoder, djp__span_record *const *records, djp__buf *out)
{
    double start = bench_now();
    for (int i = 0; i < BATCH; i++) {
        if (djp__encoder_add(encoder, records[i]) != 0) {
            abort();
        }
    }
    double added = bench_now();
    djp__buf_clear(out);
    if (djp__encoder_finish(encoder, out) != 0) {
        abort();
    }
    double finished = bench_now();
    bench_min(&best->add, (added - start) / BATCH);
    bench_min(&best->finish, (finished - start) / BATCH);
}

static void
bench_json(bench_best *best, djp__encoder *encoder, djp__span_record *const *records, djp__buf *out)
{
    double start = bench_now();
    for (int i = 0; i < BATCH; i++) {
        if (djp__encoder_add(encoder, records[i]) != 0) {
            abort();
        }
    }
    djp__buf_clear(out);
    if (djp__encoder_finish(encoder, out) != 0) {
        abort();
    }
    bench_min(&best->json, (bench_now() - start) / BATCH);
}

static size_t
bench_protobuf_c(bench_best *best, const Djp__Otlp__V1__ExportTraceServiceRequest *request,
                 djp__buf *out)
{
    double start = bench_now();
    size_t size = djp__otlp__v1__export_trace_service_request__get_packed_size(request);
    djp__buf_clear(out);
    uint8_t *room = (uint8_t *)djp__buf_reserve(out, size);
    if (room == NULL || djp__otlp__v1__export_trace_service_request__pack(request, room) != size) {
        abort();
    }
    bench_min(&best->pack, (bench_now() - start) / BATCH);
    return size;
}

int
main(void)
{
    static rb_span spans[BATCH];
    static djp__span_record *records[BATCH];
    rb_source source;
    rb_source_init(&source, 1);
    for (int i = 0; i < BATCH; i++) {
        rb_span_typical(&spans[i], &source);
        records[i] = rb_record(&spans[i]);
    }
    djp__encoder *ours, *json;
    djp__buf packed, out;
    djp__buf_init(&packed, 0);
    djp__buf_init(&out, 0);
    if (djp__encoder_new(&ours, &djp__otlp_trace, DJP__ENCODE_PROTOBUF, NULL, 0) != 0 ||
        djp__encoder_new(&json, &djp__otlp_trace, DJP__ENCODE_JSON, NULL, 0) != 0) {
        abort();
    }
    oracle_pack(&packed, &source, spans, BATCH, NULL, 0);
    Djp__Otlp__V1__ExportTraceServiceRequest *request =
        djp__otlp__v1__export_trace_service_request__unpack(NULL, packed.size,
                                                            (const uint8_t *)packed.data);
    bench_best best = {0};
    size_t size = 0;
    for (int i = 0; i < CHUNKS; i++) {
        bench_ours(&best, ours, records, &out);
        size = bench_protobuf_c(&best, request, &packed);
        bench_json(&best, json, records, &out);
    }
    printf("encode a span with 5 attributes (%zu bytes), batch of %d, minimum of %d batches\n",
           size / BATCH, BATCH, CHUNKS);
    printf("  ours, record to request   %7.1f ns   (without joining the batch %.1f)\n", best.finish,
           best.add);
    printf("  protobuf-c, pack only     %7.1f ns   %.1fx ours\n", best.pack,
           best.pack / best.finish);
    printf("  ours, OTLP JSON           %7.1f ns\n", best.json);
    djp__otlp__v1__export_trace_service_request__free_unpacked(request, NULL);
    djp__encoder_free(ours);
    djp__encoder_free(json);
    djp__buf_fini(&packed);
    djp__buf_fini(&out);
    for (int i = 0; i < BATCH; i++) {
        free(records[i]);
    }
    rb_source_fini(&source);
    return 0;
}
