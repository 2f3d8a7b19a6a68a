/* Any bytes as the head, the catalog and the documents of a base of the search log: what is taken
 * is written again as it was read. */
#include "search-index/base.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void head_check(core_slice bytes) {
    search_base_head head, again;
    core_error error;
    core_buffer out;
    if (!search_base_head_read(bytes, &head, &error))
        return;
    core_buffer_init(&out, SEARCH_BASE_HEAD_BYTES);
    search_base_head_write(&head, &out);
    if (!search_base_head_read(core_buffer_slice(&out), &again, &error) ||
        again.known != head.known || again.is_second != head.is_second)
        abort();
    core_buffer_fini(&out);
}

static void catalog_write(const search_base_catalog *catalog, core_buffer *out) {
    core_buffer_reset(out);
    for (size_t i = 0; i < catalog->entry_count; i++)
        search_base_entry_write(catalog->entries[i], out);
    for (size_t i = 0; i < catalog->part_count; i++)
        search_base_part_write(&catalog->parts[i], out);
    for (size_t i = 0; i < catalog->task_count; i++)
        search_base_task_write(&catalog->tasks[i], out);
}

static void catalog_check(core_slice bytes) {
    search_base_catalog catalog, again;
    core_error error;
    core_buffer out;
    if (!search_base_catalog_read(bytes, &catalog, &error))
        return;
    core_buffer_init(&out, (size_t)64 << 20);
    catalog_write(&catalog, &out);
    if (!core_buffer_ok(&out) || !search_base_catalog_read(core_buffer_slice(&out), &again, &error))
        abort();
    if (again.entry_count != catalog.entry_count || again.part_count != catalog.part_count ||
        again.task_count != catalog.task_count)
        abort();
    search_base_catalog_fini(&again);
    search_base_catalog_fini(&catalog);
    core_buffer_fini(&out);
}

static void documents_check(core_slice bytes) {
    search_item item;
    bool is_wrong;
    size_t left = bytes.length;
    while (search_base_document_read(&bytes, &item, &is_wrong)) {
        if (is_wrong || bytes.length >= left || item.id.length == 0 || item.json.length == 0)
            abort();
        left = bytes.length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const core_slice bytes = core_slice_make(data, size);
    head_check(bytes);
    catalog_check(bytes);
    documents_check(bytes);
    return 0;
}
