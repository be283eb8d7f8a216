/* Formats the batch as an OTLP request in JSON, on one line. */
#include "export/emit_json.h"
#include "export/encoder_parts.h"

#include "base/str.h"

static int
json_resource(djp__encoder *encoder, djp__buf *out, const djp__buf *items)
{
    djp__otlp_scope parts = djp__otlp_scope_of(NULL, items);
    djp__otlp_json_resource(out, &encoder->walk, &parts);
    return djp__encode_result(encoder, out);
}

static int
json_scope(djp__encoder *encoder, djp__encode_group *group, const djp__scope_entry *scope,
           const djp__buf *items)
{
    djp__buf *out = &group->head;
    djp__otlp_scope parts = djp__otlp_scope_of(scope, items);
    djp__buf_char(out, '{');
    djp__otlp_json_scope(out, &encoder->walk, &parts);
    djp__json_name(out, encoder->signal->item_list);
    djp__buf_char(out, '[');
    djp__buf_char(&group->tail, ']');
    djp__otlp_json_text(&group->tail, 0, "schemaUrl", NULL, djp__text(scope->schema_url));
    djp__buf_char(&group->tail, '}');
    return group->tail.failed ? DJP_ENOMEM : djp__encode_result(encoder, out);
}

static int
json_add(djp__encoder *encoder, djp__encode_group *group, const djp__encode_item *item,
         size_t *added)
{
    djp__buf *out = &group->text;
    size_t before = out->size;
    djp__otlp_json_open(out, NULL, NULL);
    encoder->signal->json(out, &encoder->walk, item);
    djp__buf_char(out, '}');
    return djp__encode_added(encoder, out, before, added);
}

static int
json_finish(djp__encoder *encoder, djp__buf *out)
{
    djp__buf_text(out, "{\"");
    djp__buf_text(out, encoder->signal->resource_list);
    djp__buf_text(out, "\":[{");
    djp__buf_append(out, encoder->resource.data, encoder->resource.size);
    djp__json_name(out, encoder->signal->scope_list);
    djp__buf_char(out, '[');
    for (size_t i = 0; i < encoder->order_count; i++) {
        const djp__encode_group *group = encoder->groups[encoder->order[i]];
        djp__json_comma(out);
        djp__buf_append(out, group->head.data, group->head.size);
        djp__buf_append(out, group->text.data, group->text.size);
        djp__buf_append(out, group->tail.data, group->tail.size);
    }
    djp__buf_text(out, "]}]}");
    return out->failed ? DJP_ENOMEM : 0;
}

const djp__encode_form djp__encode_json = {json_resource, json_scope, json_add, json_finish};
