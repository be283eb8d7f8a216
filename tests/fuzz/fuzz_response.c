/* Fuzz target: bodies of OTLP answers, protobuf or JSON by the first byte. The message must be
 * valid UTF-8 and end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "net/otlp_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    djp__partial partial;
    if (size == 0) {
        return 0;
    }
    int parsed = djp__response_partial(&partial, data + 1, size - 1, data[0] & 1);
    size_t length = strnlen(partial.message, sizeof partial.message);
    if (length == sizeof partial.message || !djp__utf8_valid(partial.message, length) ||
        partial.rejected < 0 || (!parsed && (partial.rejected != 0 || length != 0))) {
        abort();
    }
    return 0;
}
