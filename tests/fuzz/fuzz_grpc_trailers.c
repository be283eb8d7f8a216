/* Header lines, trailers and bodies of answers, as a receiver could send them, through both
 * protocols' judgement. Checks that what comes out is bounded, terminated UTF-8 and one of the
 * known outcomes. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "net/grpc_response.h"
#include "net/http_response.h"

static void
fuzz_check(const djp__send_result *result)
{
    size_t size = strnlen(result->message, sizeof result->message);
    if (size >= sizeof result->message || !djp__utf8_valid(result->message, size) ||
        result->outcome > DJP__SEND_ABORTED) {
        abort();
    }
    if (result->outcome != DJP__SENT && size == 0) {
        abort();
    }
    if (result->retry_after_ns != 0 && result->outcome != DJP__SEND_RETRY) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    djp__grpc_head grpc = DJP__GRPC_HEAD_INIT;
    djp__http_head http = {0};
    djp__send_result result = {0};
    if (size < 2) {
        return 0;
    }
    long status = 100 + (data[0] | data[1] << 8) % 500;
    djp_text rest = {(const char *)data + 2, size - 2}, line;
    /* Lines up to an empty one, then the body. */
    while (rest.size > 0 && djp__text_split(&line, &rest, '\n') && line.size > 0) {
        djp__grpc_head_line(&grpc, line.data, line.size);
        djp__http_head_line(&http, line.data, line.size, UINT64_C(1700000000000000000));
    }
    djp__grpc_response(&result, &grpc, status, rest, "http://127.0.0.1/", djp__response_partial);
    fuzz_check(&result);
    memset(&result, 0, sizeof result);
    djp__http_response(&result, &http, status, rest, "http://127.0.0.1/", djp__response_partial);
    fuzz_check(&result);
    return 0;
}
