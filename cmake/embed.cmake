# cmake -D OUTPUT=FILE -D FOLDER=DIRECTORY -D FILES=NAME,NAME -P embed.cmake: a source with the files of the folder as texts,
# `page_file("page.html")` as page.hpp declares it.
set(source "#include \"page.hpp\"\n\nnamespace playground {\n\n")
set(rows "")
string(REPLACE "," ";" FILES "${FILES}")
foreach(file IN LISTS FILES)
  file(READ ${FOLDER}/${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(MAKE_C_IDENTIFIER ${file} name)
  string(APPEND source "static constexpr unsigned char ${name}[] = {${bytes}};\n")
  string(APPEND rows "  if (name == \"${file}\") return {reinterpret_cast<const char*>(${name}), sizeof(${name})};\n")
endforeach()
string(APPEND source "\nstd::string_view page_file(std::string_view name) {\n${rows}  return {};\n}\n\n}  // namespace playground\n")
file(WRITE ${OUTPUT} "${source}")
