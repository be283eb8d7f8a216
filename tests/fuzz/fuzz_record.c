/* Fuzz target: a span record as it may come back from a damaged ring, through all three encoders.
 * Whatever is refused must leave no trace, and the JSON lines must stay lines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "djp/error.h"
#include "export/otlp_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_encode(djp__encoder *encoder, const djp__span_record *record, djp__buf *out)
{
    int rc = djp__encoder_add(encoder, record);
    if ((rc != 0 && rc != DJP_EPROTO) || djp__encoder_items(encoder) != (rc == 0)) {
        abort();
    }
    size_t estimate = djp__encoder_bytes(encoder);
    djp__buf_clear(out);
    if (djp__encoder_finish(encoder, out) != 0 || out->size > estimate ||
        (rc == 0) != (out->size != 0)) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static djp__encoder *encoders[3];
    static djp__buf out;
    static const char *const keys[] = {
        "a", "sampling.reason",
        "a key that is longer than the tail of a slot, which holds 48 bytes"};
    if (encoders[0] == NULL) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            djp_key_intern(djp_text_of(keys[i]));
        }
        for (int i = 0; i < 3; i++) {
            if (djp__encoder_new(&encoders[i], &djp__otlp_trace, (djp__encoding)i, NULL, 0) != 0) {
                abort();
            }
        }
    }
    size &= ~(size_t)7;
    if (size < sizeof(djp__span_record)) {
        return 0;
    }
    djp__span_record *record = malloc(size);
    if (record == NULL) {
        return 0;
    }
    memcpy(record, data, size);
    record->size = (uint32_t)size; /* the ring's own head says so */
    record->type = DJP_RECORD_SPAN;
    for (int i = 0; i < 3; i++) {
        fuzz_encode(encoders[i], record, &out);
        if (i == DJP__ENCODE_CONSOLE && out.size != 0 &&
            memchr(out.data, '\n', out.size) != out.data + out.size - 1) {
            abort();
        }
    }
    free(record);
    return 0;
}
