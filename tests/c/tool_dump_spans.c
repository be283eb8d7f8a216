/* Writes random batches for tests in other languages: tool_dump_spans DIR COUNT SEED makes
 * DIR/spans.bin ([u32 little-endian size][ExportTraceServiceRequest]...), DIR/spans.jsonl (the same
 * batches, one line of OTLP JSON each) and DIR/console.jsonl (the same spans as console lines). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/otlp_trace.h"
#include "record_builder.h"

enum { DUMP_SPANS_MAX = 20, DUMP_FILES = 3 };

static const djp_attribute dump_resource[] = {
    {{"service.name", 12}, {DJP_STRING, {.text = {"wire-test", 9}}}},
    {{"process.pid", 11}, {DJP_INT, {.integer = 4711}}},
};

static void
dump_fail(const char *what)
{
    fprintf(stderr, "tool_dump_spans: %s: %s\n", what, strerror(errno));
    exit(1);
}

static FILE *
dump_open(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        dump_fail(path);
    }
    return file;
}

static void
dump_write(FILE *file, const void *data, size_t size)
{
    if (fwrite(data, 1, size, file) != size) {
        dump_fail("write");
    }
}

static void
dump_batch(djp__encoder *const *encoders, FILE *const *files, uint64_t seed)
{
    rb_source source;
    rb_source_init(&source, seed);
    size_t count = 1 + rb_below(&source, DUMP_SPANS_MAX);
    for (size_t i = 0; i < count; i++) {
        rb_span span;
        rb_span_random(&span, &source);
        djp__span_record *record = rb_record(&span);
        for (int k = 0; k < DUMP_FILES; k++) {
            if (djp__encoder_add(encoders[k], record) != 0) {
                dump_fail("encode");
            }
        }
        free(record);
    }
    for (int k = 0; k < DUMP_FILES; k++) {
        djp__buf out;
        djp__buf_init(&out, 0);
        if (djp__encoder_finish(encoders[k], &out) != 0) {
            dump_fail("finish");
        }
        uint8_t head[4] = {(uint8_t)out.size, (uint8_t)(out.size >> 8), (uint8_t)(out.size >> 16),
                           (uint8_t)(out.size >> 24)};
        dump_write(files[k], head, k == DJP__ENCODE_PROTOBUF ? sizeof head : 0);
        dump_write(files[k], out.data, out.size);
        dump_write(files[k], "\n", k == DJP__ENCODE_JSON);
        djp__buf_fini(&out);
    }
    rb_source_fini(&source);
}

int
main(int argc, char **argv)
{
    static const char *const names[DUMP_FILES] = {"spans.bin", "spans.jsonl", "console.jsonl"};
    djp__encoder *encoders[DUMP_FILES];
    FILE *files[DUMP_FILES];
    if (argc != 4) {
        fprintf(stderr, "usage: tool_dump_spans DIR COUNT SEED\n");
        return 2;
    }
    for (int i = 0; i < DUMP_FILES; i++) {
        files[i] = dump_open(argv[1], names[i]);
        if (djp__encoder_new(&encoders[i], &djp__otlp_trace, (djp__encoding)i, dump_resource, 2) !=
            0) {
            dump_fail("encoder");
        }
    }
    uint64_t count = strtoull(argv[2], NULL, 10), seed = strtoull(argv[3], NULL, 10);
    for (uint64_t i = 0; i < count; i++) {
        dump_batch(encoders, files, seed + i);
    }
    for (int i = 0; i < DUMP_FILES; i++) {
        djp__encoder_free(encoders[i]);
        if (fclose(files[i]) != 0) {
            dump_fail("close");
        }
    }
    return 0;
}
