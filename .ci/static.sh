# A part of .ci/run: builds the static program of the README where nothing can compile C.

# `cc` still links the build scripts, as it links every program for this system.
cc=$(command -v cc)
mkdir "$elsewhere/bin"
for compiler in gcc clang c++ g++ clang++ musl-gcc; do
    ln -s "$(command -v false)" "$elsewhere/bin/$compiler"
done
cat >"$elsewhere/bin/cc" <<END
#!/bin/sh
for argument; do
    case \$argument in -c | *.c) echo "cc: asked to compile" >&2; exit 1 ;; esac
done
exec "$cc" "\$@"
END
chmod +x "$elsewhere/bin/cc"
(
    export PATH="$elsewhere/bin:$PATH" CC=false CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
    eval "$static --locked --example chat"
)
replies "$target/x86_64-unknown-linux-musl/small/examples/chat" --demo "Hello, how are you?"
