/* Macros that compile a template for protobuf. */
#include "export/emit.h"
#include "export/emit_protobuf.h"
#define EMIT_PREFIX djp__protobuf_
#define EMIT_STATE char *
#define EMIT_THEN DJP__BACKWARD
#define EMIT_IS_BACKWARD 1
#define EMIT_IS_LINE 0
