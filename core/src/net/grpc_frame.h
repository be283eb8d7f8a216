/* The frame of a gRPC message, and the header with the time limit of a call. */
#ifndef DJP_NET_GRPC_FRAME_H
#define DJP_NET_GRPC_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "djp/value.h"

#define DJP__GRPC_FRAME_SIZE 5
/* Writes the frame header of a message of size bytes. */
void djp__grpc_frame(uint8_t out[DJP__GRPC_FRAME_SIZE], int compressed, uint32_t size);
/* Reads the first message in body: 1 and the message (borrowed from body), 0 if none is complete
 * and uncompressed. */
int djp__grpc_message_in(djp_text *message, djp_text body);
/* "grpc-timeout: 9500m" for the remaining time, at least one millisecond. out must hold 32
 * bytes. */
void djp__grpc_timeout(char *out, size_t out_size, uint64_t left_ns);

#endif
