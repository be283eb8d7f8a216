/* Fuzz target: answers of a sampling server. What is taken is in range, bounded and printable; what
 * is refused leaves nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "djp/error.h"
#include "control/remote_strategy.h"

#define DEMAND(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    djp__strategy strategy;
    char error[96] = "";
    int code = djp__strategy_parse(&strategy, (const char *)data, size, error, sizeof error);
    DEMAND((code == 0) == (error[0] == '\0'));
    if (code != 0) {
        DEMAND(code == DJP_EINVAL && strategy.operations == NULL);
        return 0;
    }
    DEMAND(strategy.probability >= 0 && strategy.probability <= 1);
    DEMAND(strategy.rate >= 0 && strategy.rate <= DJP__STRATEGY_RATE_MAX);
    DEMAND(strategy.lower_bound >= 0 && strategy.upper_bound >= 0);
    DEMAND(strategy.operation_count <= DJP_STRATEGY_OPERATIONS_MAX);
    for (size_t i = 0; i < strategy.operation_count; i++) {
        const djp__strategy_operation *operation = &strategy.operations[i];
        DEMAND(operation->probability >= 0 && operation->probability <= 1);
        DEMAND(djp__utf8_valid(operation->name.data, operation->name.size));
        for (size_t j = 0; j < i; j++) {
            djp_text other = strategy.operations[j].name;
            DEMAND(other.size != operation->name.size ||
                   memcmp(other.data, operation->name.data, other.size) != 0);
        }
    }
    djp__buf text;
    djp__buf_init(&text, 0);
    djp__strategy_describe(&text, &strategy);
    DEMAND(text.size > 0 && text.size < 160);
    djp__buf_fini(&text);
    djp__strategy_fini(&strategy);
    return 0;
}
