/* The canonical text of a condition; see expr.h. A node is its operation, its type, what else it is
 * told, and its arguments; what could hold any byte has its length in front. */
#include "expr/condition.h"
#include "expr/operations.h"

#include <inttypes.h>

#define TEXT_BYTES_MAX ((size_t)4 << 20)

static void bytes_write(core_buffer *out, core_slice bytes) {
    core_buffer_format(out, "%zu:", bytes.length);
    core_buffer_slice_append(out, bytes);
}

static void scalar_write(core_buffer *out, expr_scalar_kind kind, const expr_scalar *scalar) {
    switch (kind) {
    case EXPR_SCALAR_TEXT:
    case EXPR_SCALAR_PADDED_TEXT:
    case EXPR_SCALAR_LABEL:
        bytes_write(out, scalar->text);
        break;
    case EXPR_SCALAR_NUMERIC:
        core_buffer_format(out, "%d%s%" PRId64 "e", (int)scalar->numeric.form,
                           scalar->numeric.negative ? "-" : "+", scalar->numeric.exponent);
        bytes_write(out, scalar->numeric.digits);
        break;
    case EXPR_SCALAR_FLOAT4:
    case EXPR_SCALAR_FLOAT8:
        core_buffer_format(out, "%a", scalar->real);
        break;
    case EXPR_SCALAR_UUID:
        for (size_t i = 0; i < sizeof scalar->uuid; i++)
            core_buffer_format(out, "%02x", scalar->uuid[i]);
        break;
    case EXPR_SCALAR_INTERVAL:
        core_buffer_format(out, "%" PRId32 " %" PRId32 " %" PRId64, scalar->interval.months,
                           scalar->interval.days, scalar->interval.time_us);
        break;
    default:
        core_buffer_format(out, "%" PRId64, scalar->integer);
    }
}

static void constant_write(core_buffer *out, const expr_node *node) {
    static const char states[] = {'=', 'n', 'm', 'u', 'e'};
    core_buffer_u8(out, (uint8_t)states[node->constant.state]);
    if (node->constant.state == EXPR_DATUM_VALUE)
        scalar_write(out, expr_type_kind(node->type), &node->constant.scalar);
    else if (node->constant.state > EXPR_DATUM_MISSING)
        bytes_write(out, core_slice_text(node->constant.reason));
}

static void node_write(core_buffer *out, const expr_node *node) {
    core_buffer_format(out, "(%s %d%s", node->operation->name, (int)node->type.id,
                       node->type.is_array ? "[]" : "");
    if (expr_node_is_constant(node)) {
        constant_write(out, node);
    } else if (node->operation == &expr_operation_column) {
        core_buffer_format(out, " %s%u %u", node->column.is_old ? "old." : "$", node->column.index,
                           node->kind);
    } else {
        core_buffer_format(out, " %u %u", node->kind, node->option);
        for (size_t i = 0; i < node->argument_count; i++)
            node_write(out, node->arguments[i]);
    }
    core_buffer_u8(out, ')');
}

bool expr_condition_finish(expr_condition *condition, const expr_node *root) {
    core_buffer out;
    core_buffer_init(&out, TEXT_BYTES_MAX);
    node_write(&out, root);
    bool ok = core_buffer_ok(&out);
    if (ok)
        condition->text = core_arena_copy(&condition->arena, core_buffer_slice(&out));
    core_buffer_fini(&out);
    condition->root = root;
    condition->hash = core_slice_hash(condition->text);
    return ok && condition->text.data != NULL;
}
