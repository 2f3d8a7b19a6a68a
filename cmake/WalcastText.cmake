# walcast_text(OUT FILE HEADER NAME): a C file OUT with the text of FILE as `const char NAME[]`,
# which HEADER declares. Run by itself (cmake -DOUT=... -P) it writes OUT.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${FILE} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
  file(WRITE ${OUT} "/* Made from a text by cmake/WalcastText.cmake. */
#include \"${HEADER}\"

const char ${NAME}[] = {
${bytes}
0x00};
")
  return()
endif()

function(walcast_text OUT FILE HEADER NAME)
  add_custom_command(
    OUTPUT ${OUT}
    COMMAND ${CMAKE_COMMAND} -DOUT=${OUT} -DFILE=${FILE} -DHEADER=${HEADER} -DNAME=${NAME}
      -P ${CMAKE_SOURCE_DIR}/cmake/WalcastText.cmake
    DEPENDS ${FILE} ${CMAKE_SOURCE_DIR}/cmake/WalcastText.cmake)
endfunction()
