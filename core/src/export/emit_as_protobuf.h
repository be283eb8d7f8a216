/* Macros that compile a template for protobuf. */
#include "export/emit.h"
#include "export/emit_protobuf.h"
#define DJP__EMIT_PREFIX djp__protobuf_
#define DJP__EMIT_STATE char *
#define DJP__EMIT_THEN DJP__BACKWARD
#define DJP__EMIT_IS_BACKWARD 1
#define DJP__EMIT_IS_LINE 0
