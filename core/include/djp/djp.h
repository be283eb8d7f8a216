/* Everything public in one include. */
#ifndef DJP_DJP_H
#define DJP_DJP_H
#include "djp/config.h"
#include "djp/context.h"
#include "djp/error.h"
#include "djp/http.h"
#include "djp/tail_rule.h"
#include "djp/key.h"
#include "djp/metrics.h"
#include "djp/sdk.h"
#include "djp/span.h"
#include "djp/value.h"
#include "djp/version.h"
#endif
