/* See files.h. */
#include "search-index/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATH_SIZE 4096
#define DEPTH_MAX 4

void search_files_init(search_files *files) {
    *files = (search_files){.count = 0};
}

void search_files_fini(search_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].path);
        core_problems_fini(&files->items[i].problems);
        core_document_free(files->items[i].document);
        search_definition_release(files->items[i].definition);
    }
    free(files->items);
    search_files_init(files);
}

/* ---- The directory ---- */

static bool name_counts(const char *name) {
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    size_t length = strlen(name);
    for (size_t i = 0; i < CORE_COUNT_OF(endings); i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending && strcmp(name + length - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

typedef bool (*entry_handler)(void *context, const char *path, const struct stat *facts,
                              core_error *error);

static bool directory_walk(const char *directory, unsigned depth, entry_handler take, void *context,
                           core_error *error) {
    DIR *entries = opendir(directory);
    struct dirent *entry;
    bool ok = true;
    if (entries == NULL)
        return errno == ENOENT ||
               core_error_set(error, CORE_ERROR_INPUT, "%s: %s", directory, strerror(errno));
    while (ok && (entry = readdir(entries)) != NULL) {
        char path[PATH_SIZE];
        struct stat facts;
        int length = snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (entry->d_name[0] == '.' || length >= PATH_SIZE || stat(path, &facts) != 0)
            continue;
        if (S_ISDIR(facts.st_mode) && depth < DEPTH_MAX)
            ok = directory_walk(path, depth + 1, take, context, error);
        else if (S_ISREG(facts.st_mode) && name_counts(entry->d_name))
            ok = take(context, path, &facts, error);
    }
    (void)closedir(entries);
    return ok;
}

static bool entry_look(void *context, const char *path, const struct stat *facts,
                       core_error *error) {
    uint64_t *look = context;
    const int64_t numbers[] = {facts->st_mtim.tv_sec, facts->st_mtim.tv_nsec, facts->st_size,
                               (int64_t)facts->st_ino};
    (void)error;
    /* In whatever order they come. */
    *look ^= core_slice_hash_more(core_slice_hash(core_slice_text(path)),
                                  core_slice_make(numbers, sizeof numbers));
    return true;
}

uint64_t search_files_look(const char *directory) {
    uint64_t look = 0;
    core_error ignored;
    return directory_walk(directory, 1, entry_look, &look, &ignored) ? look : 0;
}

/* ---- Files ---- */

static search_definition_file *file_room(search_files *files) {
    if (files->count == files->room && files->room < SEARCH_FILES_MAX) {
        size_t room = files->room > 0 ? files->room * 2 : 16;
        room = room < SEARCH_FILES_MAX ? room : SEARCH_FILES_MAX;
        search_definition_file *items = realloc(files->items, room * sizeof *items);
        if (items == NULL)
            return NULL;
        files->items = items;
        files->room = room;
    }
    return files->count < files->room ? &files->items[files->count] : NULL;
}

static bool entry_add(void *context, const char *path, const struct stat *facts,
                      core_error *error) {
    search_files *files = context;
    search_definition_file *file = file_room(files);
    (void)facts;
    if (file == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT,
                              "%s: there are more than %d files of indexes, or no memory", path,
                              SEARCH_FILES_MAX);
    *file = (search_definition_file){.path = strdup(path)};
    core_problems_init(&file->problems);
    files->count++;
    return file->path != NULL ||
           core_error_set(error, CORE_ERROR_INTERNAL, "no memory for files of indexes");
}

static void file_read(search_definition_file *it, const search_definition_facts *facts) {
    core_buffer text;
    core_buffer_init(&text, CORE_DOCUMENT_BYTES_MAX + 1);
    FILE *file = fopen(it->path, "re");
    uint8_t *room = file != NULL ? core_buffer_reserve(&text, CORE_DOCUMENT_BYTES_MAX + 1) : NULL;
    if (room != NULL)
        core_buffer_commit(&text, fread(room, 1, CORE_DOCUMENT_BYTES_MAX + 1, file));
    if (room == NULL || ferror(file) != 0)
        (void)core_problem_tell(&it->problems, (core_place){0}, "cannot be read: %s",
                                strerror(errno));
    else
        it->document = core_document_read(core_buffer_slice(&text), &it->problems);
    if (it->document != NULL)
        it->definition = search_definition_of(it->document, facts, &it->problems);
    if (file != NULL)
        (void)fclose(file);
    core_buffer_fini(&text);
}

static int path_compare(const void *a, const void *b) {
    return strcmp(((const search_definition_file *)a)->path,
                  ((const search_definition_file *)b)->path);
}

/* A name that two files have counts in neither but the first. */
static void names_check(search_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        search_definition_file *file = &files->items[i];
        for (size_t j = 0; j < i && file->definition != NULL; j++) {
            const search_definition *other = files->items[j].definition;
            if (other == NULL || !core_slice_equal(file->definition->name, other->name) ||
                !core_slice_equal(file->definition->project, other->project))
                continue;
            const core_node *name = core_node_find(core_document_root(file->document), "name");
            (void)core_problem_tell(&file->problems, name->place, "name: %.*s is also in %s",
                                    CORE_SLICE_ARGS(file->definition->name), files->items[j].path);
            search_definition_release(file->definition);
            file->definition = NULL;
        }
    }
}

bool search_files_read(search_files *files, const char *directory,
                       const search_definition_facts *facts, core_error *error) {
    if (!directory_walk(directory, 1, entry_add, files, error))
        return false;
    if (files->count > 1)
        qsort(files->items, files->count, sizeof files->items[0], path_compare);
    for (size_t i = 0; i < files->count; i++)
        file_read(&files->items[i], facts);
    names_check(files);
    return true;
}
