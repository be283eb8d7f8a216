/* Fuzz target: google.rpc.Status as bytes or base64, and Retry-After, by the first byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "net/otlp_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char message[100] = "";
    uint64_t delay = 0;
    if (size == 0) {
        return 0;
    }
    djp_text text = {(const char *)data + 1, size - 1};
    if (data[0] % 3 == 0) {
        djp__response_status(message, sizeof message, &delay, data + 1, size - 1);
    } else if (data[0] % 3 == 1) {
        djp__response_status_details(message, sizeof message, &delay, text);
    } else {
        djp__retry_after(&delay, text, UINT64_C(1769860800000000000));
    }
    size_t length = strnlen(message, sizeof message);
    if (length == sizeof message || !djp__utf8_valid(message, length) ||
        (delay > UINT64_C(3600000000000) && delay != UINT64_MAX)) {
        abort();
    }
    return 0;
}
