# Turns files into C: cmake -DOUT=x.c -DFILES="a;b" -P WalcastEmbed.cmake
# Each file is served at /NAME, index.html at /. The ETag is the content's hash.
set(types html text/html js text/javascript css text/css svg image/svg+xml)
set(arrays "")
set(rows "")
set(count 0)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  get_filename_component(extension ${file} LAST_EXT)
  string(SUBSTRING ${extension} 1 -1 extension)
  list(FIND types ${extension} at)
  math(EXPR at "${at} + 1")
  list(GET types ${at} type)
  file(READ ${file} hex HEX)
  file(SHA256 ${file} hash)
  string(SUBSTRING ${hash} 0 16 tag)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
  set(path "/${name}")
  if(name STREQUAL "index.html")
    set(path "/")
  endif()
  string(APPEND arrays "static const unsigned char file_${count}[] = {\n${bytes}\n};\n")
  string(APPEND rows "    {\"${path}\", \"${type}; charset=utf-8\", \"\\\"${tag}\\\"\", file_${count}, sizeof file_${count}},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE ${OUT} "/* Made from ws/console by cmake/WalcastEmbed.cmake. */
#include \"ws/console.h\"

${arrays}
const ws_console_file ws_console_files[] = {
${rows}};
const size_t ws_console_file_count = ${count};
")
