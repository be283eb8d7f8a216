/* Formats the batch as console lines: one JSON object per record, described in
 * docs/console-format.md. A line is always complete: a damaged record writes nothing. */
#include "export/emit_console.h"
#include "export/encoder_parts.h"

static int
console_resource(djp__encoder *encoder, djp__buf *out, const djp__buf *items)
{
    djp__otlp_scope parts = djp__otlp_scope_of(NULL, items);
    djp__console_resource(out, &encoder->walk, &parts);
    return djp__encode_result(encoder, out);
}

static int
console_scope(djp__encoder *encoder, djp__encode_group *group, const djp__scope_entry *scope,
              const djp__buf *items)
{
    djp__otlp_scope parts = djp__otlp_scope_of(scope, items);
    djp__console_scope(&group->head, &encoder->walk, &parts);
    return djp__encode_result(encoder, &group->head);
}

static int
console_add(djp__encoder *encoder, djp__encode_group *group, const djp__encode_item *item,
            size_t *added)
{
    djp__buf *out = &encoder->lines;
    size_t before = out->size;
    djp__buf_char(out, '{');
    encoder->signal->console(out, &encoder->walk, item);
    djp__json_comma(out);
    djp__buf_append(out, group->head.data, group->head.size);
    djp__json_comma(out);
    djp__buf_append(out, encoder->resource.data, encoder->resource.size);
    djp__buf_text(out, "}\n");
    return djp__encode_added(encoder, out, before, added);
}

static int
console_finish(djp__encoder *encoder, djp__buf *out)
{
    djp__buf_append(out, encoder->lines.data, encoder->lines.size);
    return out->failed ? DJP_ENOMEM : 0;
}

const djp__encode_form djp__encode_console = {console_resource, console_scope, console_add,
                                              console_finish};
