/* Accept headers and raw paths: both come from whoever can reach the port. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "djp/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[300], again[300];
    const char *text = (const char *)data;
    djp_exposition format = djp_exposition_negotiate((djp_text){text, size});
    unsigned number = (unsigned)format & DJP_EXPOSITION_FORMAT;
    if (number > DJP_OPENMETRICS_0_0_1 || strlen(djp_exposition_content_type(format)) < 20) {
        abort();
    }
    size_t room = size ? data[0] + 1u : 1;
    size_t made = djp_path_normalise(out, room, (djp_text){text, size});
    if (made >= room || out[made] != '\0' || memchr(out, '?', made)) {
        abort();
    }
    /* A label that is normalised again stays what it is. */
    if (djp_path_normalise(again, sizeof again, (djp_text){out, made}) != made ||
        memcmp(out, again, made) != 0) {
        abort();
    }
    return 0;
}
