/* Writes and reads the frame of a gRPC message and the header with its time limit. Lengths are not
 * trusted; nothing is allocated. */
#include "net/grpc_frame.h"

#include <stdio.h>

void
djp__grpc_frame(uint8_t out[DJP__GRPC_FRAME_SIZE], int compressed, uint32_t size)
{
    out[0] = compressed ? 1 : 0;
    out[1] = (uint8_t)(size >> 24);
    out[2] = (uint8_t)(size >> 16);
    out[3] = (uint8_t)(size >> 8);
    out[4] = (uint8_t)size;
}

int
djp__grpc_message_in(djp_text *message, djp_text body)
{
    const uint8_t *head = (const uint8_t *)body.data;
    if (body.size < DJP__GRPC_FRAME_SIZE || head[0] != 0) {
        return 0;
    }
    uint32_t size =
        (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
    if (size > body.size - DJP__GRPC_FRAME_SIZE) {
        return 0;
    }
    *message = (djp_text){body.data + DJP__GRPC_FRAME_SIZE, size};
    return 1;
}

void
djp__grpc_timeout(char *out, size_t out_size, uint64_t left_ns)
{
    uint64_t left_ms = left_ns / 1000000;
    if (left_ms < 1) {
        left_ms = 1;
    }
    /* The protocol allows eight digits. */
    if (left_ms <= 99999999) {
        snprintf(out, out_size, "grpc-timeout: %llum", (unsigned long long)left_ms);
    } else {
        snprintf(out, out_size, "grpc-timeout: %lluS",
                 (unsigned long long)(left_ms / 1000 > 99999999 ? 99999999 : left_ms / 1000));
    }
}
