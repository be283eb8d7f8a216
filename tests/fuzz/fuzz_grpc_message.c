/* Fuzz target: grpc-message into an array whose size comes from the first byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "net/otlp_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t room = data[0] + 1u;
    char *out = malloc(room);
    if (out == NULL) {
        return 0;
    }
    djp_text text = {(const char *)data + 1, size - 1};
    djp__grpc_message(out, room, text);
    size_t length = strnlen(out, room);
    if (length == room || !djp__utf8_valid(out, length)) {
        abort();
    }
    free(out);
    return 0;
}
