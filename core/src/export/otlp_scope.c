/* The resource and the instrumentation scope of all signals, in every form. */
#include <string.h>

#include "base/str.h"
#include "export/encoder_parts.h"
#include "export/resource_attributes.h"

#include "export/emit_as_protobuf.h"
#include "export/otlp_scope_template.h"

#include "export/emit_as_json.h"
#include "export/otlp_scope_template.h"

#include "export/emit_as_console.h"
#include "export/otlp_scope_template.h"

djp__otlp_scope
djp__otlp_scope_of(const djp__scope_entry *entry, const djp__buf *items)
{
    djp__otlp_scope scope = {
        {NULL, 0}, {NULL, 0}, DJP__RESOURCE_ATTRIBUTES_FROM, (uint32_t)items->size};
    if (entry != NULL) {
        scope.name = djp__text(entry->name);
        scope.version = djp__text(entry->version);
    }
    return scope;
}

/* The bound of a signal includes the tags of each item. */
size_t
djp__otlp_scope_bound(const djp__otlp_scope *scope)
{
    return 2 * (size_t)scope->to + scope->name.size + scope->version.size + DJP__WIRE_SLACK + 64;
}
