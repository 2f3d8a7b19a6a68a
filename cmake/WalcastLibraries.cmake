# The third-party libraries, each as one imported target. A room names the ones it owns.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(NATS REQUIRED IMPORTED_TARGET libnats)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.87)
pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)

# Debian's libwebsockets.pc asks for a libev.pc that Debian does not ship: find them by name.
function(walcast_find_library TARGET HEADER)
  find_path(${TARGET}_INCLUDE ${HEADER} REQUIRED)
  add_library(${TARGET} INTERFACE IMPORTED GLOBAL)
  set(libraries "")
  foreach(name IN LISTS ARGN)
    find_library(${TARGET}_${name} ${name} REQUIRED)
    list(APPEND libraries ${${TARGET}_${name}})
  endforeach()
  set_target_properties(${TARGET} PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${${TARGET}_INCLUDE}"
    INTERFACE_LINK_LIBRARIES "${libraries}")
endfunction()
walcast_find_library(walcast_websockets libwebsockets.h websockets)
walcast_find_library(walcast_ev ev.h ev)
walcast_find_library(walcast_pg_query pg_query.h pg_query) # it has no .pc file
walcast_find_library(walcast_stemmer libstemmer.h stemmer) # nor has it

find_program(PROTOC_C protoc-c REQUIRED)
