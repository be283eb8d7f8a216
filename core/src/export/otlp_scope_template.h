/* The traversal of a resource and of an instrumentation scope, compiled once for each emitter
 * (export/emit.h). */

/* Nested pairs that read as lists. */
/* clang-format off */
#define DJP__RESOURCE_FIELDS(F, THEN) \
    THEN(F(attributes_begin, 1, "attributes", "attributes"), \
    THEN(F(map, 1, "attributes", "attributes", walk, scope->from, scope->to), \
    F(attributes_end, 1, "attributes", "attributes")))

#define DJP__SCOPE_NAME(F) F(made_title, 1, "name", "name", scope->name)
#define DJP__SCOPE_VERSION(F) F(made_text, 2, "version", "version", scope->version)
#define DJP__SCOPE_ATTRIBUTES(F, THEN) \
    THEN(F(attributes_begin, 3, "attributes", "attributes"), \
    THEN(F(map, 3, "attributes", "attributes", walk, scope->from, scope->to), \
    F(attributes_end, 3, "attributes", "attributes")))
#define DJP__SCOPE_FIELDS(F, THEN) \
    THEN(DJP__SCOPE_NAME(F), \
    THEN(DJP__SCOPE_VERSION(F), \
    DJP__SCOPE_ATTRIBUTES(F, THEN)))
/* clang-format on */

DJP__EMIT_STATE
DJP__EMIT(resource)(DJP__EMIT_STATE at, djp__walk *walk, const djp__otlp_scope *scope)
{
    const DJP__EMIT_STATE end = at;
    if (scope->from == scope->to && !DJP__EMIT_IS_LINE) {
        return at;
    }
    at = DJP__EMIT(open)(at, "resource", "resource");
#if DJP__EMIT_IS_LINE /* the attributes are the members */
    DJP__EMIT_FIELD(map, 1, "attributes", "attributes", walk, scope->from, scope->to)
#else
    DJP__RESOURCE_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#endif
    return DJP__EMIT(close)(at, 1, end);
}

DJP__EMIT_STATE
DJP__EMIT(scope)(DJP__EMIT_STATE at, djp__walk *walk, const djp__otlp_scope *scope)
{
    const DJP__EMIT_STATE end = at;
    if (scope->name.size == 0 && scope->version.size == 0 && scope->from == scope->to &&
        !DJP__EMIT_IS_LINE) {
        return at;
    }
    at = DJP__EMIT(open)(at, "scope", "scope");
#if DJP__EMIT_IS_LINE
    DJP__SCOPE_NAME(DJP__EMIT_FIELD)
    DJP__SCOPE_VERSION(DJP__EMIT_FIELD)
    if (scope->from < scope->to) {
        DJP__SCOPE_ATTRIBUTES(DJP__EMIT_FIELD, DJP__EMIT_THEN)
    }
#else
    DJP__SCOPE_FIELDS(DJP__EMIT_FIELD, DJP__EMIT_THEN)
#endif
    return DJP__EMIT(close)(at, 1, end);
}

#undef DJP__RESOURCE_FIELDS
#undef DJP__SCOPE_NAME
#undef DJP__SCOPE_VERSION
#undef DJP__SCOPE_ATTRIBUTES
#undef DJP__SCOPE_FIELDS
#include "export/emit_undo.h"
