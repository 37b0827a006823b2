//! What `--help` prints: one screen.

pub const HELP: &str = "\
Asks a chat server, and prints the reply as it arrives.

Usage: chat [OPTIONS] [PROMPT]...

The words of PROMPT are joined by spaces; standard input that is no terminal
follows after a blank line. Without a prompt, on a terminal: a chat (/help).

  -u, --url URL            the server [env H2OGPT_URL, else gpt-gm.h2o.ai]
      --demo[=DIALECT]     talk to a small server inside this program
  -m, --model MODEL        the model that replies [env H2OGPT_MODEL]
  -s, --system TEXT        system prompt: instructions for the model
  -f, --file FILE          attach a file, repeatable; or FILE=TYPE
  -o, --option NAME=VALUE  generation parameter, repeatable (JSON or a string)
  -c, --continue[=ID]      go on in a conversation that was kept; it stays
  -k, --keep               leave the conversation on the server, print its id
      --list, --delete ID  the session's conversations; delete one, or all
      --list-models        print the models of the server
  -x, --proxy URL          http, https, socks5 or socks5h [env ALL_PROXY etc.]
      --cacert FILE        trust these certificates too [env SSL_CERT_FILE]
  -H, --header 'N: VALUE'  send this header with every request, repeatable
      --timeout SECONDS    longest wait for the next token [120]
      --within SECONDS     longest time for everything
      --retries N          try again where the server refuses for the moment [0]
      --no-stream          print the reply when it is complete
      --json               print an object a line: each event, then the outcome
  -w, --web-search         let the server search the web first
      --share              share the conversation with the model's authors
      --serve[=DIALECT]    be the server of --demo (v0.3 to v0.10, or main) for
                           tests of programs; PROMPT is what it replies
      --replies FILE       its replies, in turn, with lines of --- between them
      --fault NAME[=N]     what goes wrong there, such as cut=3 (see README)
  -v, --verbose            each request and its status on standard error
  -h, --help; -V, --version

H2OGPT_COOKIE is the cookie of a session that is logged in: NAME=VALUE, or the
value of hf-chat. --keep remembers in ~/.local/state/h2ogpt/kept (mode 0600).
Exit status: 0 complete, 1 other error, 2 usage, 3 network, 4 refused or failed
on the server, 5 rate limited, 6 incomplete, 128 + N after signal N.
";
