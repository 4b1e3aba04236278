# Completes command lines of grove in zsh. What stands above is from the table of commands.

# Offers the names of a list of NAME:KIND:help, with their helps.
_grove_describe() {
    local -a rows
    local row
    for row in "${_grove_list[@]}"; do
        rows+=("${row%%:*}:${row#*:*:}")
    done
    _describe "$1" rows
}

# What the mesh knows of a kind; nothing without a mesh, and never more than a second later.
_grove_live() {
    local -a values
    values=(${(f)"$($grove completions values $1 $credential 2>/dev/null)"})
    compadd -a values
}

_grove_kind_words() {
    _grove_choices "$1"
    case $_grove_completion in
    choices) compadd -a _grove_list ;;
    live) _grove_live "$1" ;;
    commands) _grove_commands && _grove_describe command ;;
    files) _files ;;
    directories) _files -/ ;;
    esac
}

# What is called so in a list of NAME:KIND:help: its kind in $kind.
_grove_find() {
    local row
    for row in "${_grove_list[@]}"; do
        if [[ $row == "$1":* ]]; then
            row=${row#*:}
            kind=${row%%:*}
            return 0
        fi
    done
    return 1
}

_grove() {
    local grove=$words[1] command="" verb="" kind="" wanted="" word _grove_completion="" i
    local -a credential _grove_list
    for ((i = 2; i < CURRENT; i++)); do
        word=$words[i]
        if [[ -n $wanted ]]; then
            [[ $words[i-1] != --credential ]] || credential=(--credential "$word")
            wanted=""
        elif [[ $word == -- || $word == ::: || $word == :::: ]]; then
            _files
            return
        elif [[ $word == --*=* ]]; then
            [[ $word != --credential=* ]] || credential=("$word")
        elif [[ $word == -* ]]; then
            _grove_options "$command"
            if _grove_find "$word"; then
                wanted=$kind
            fi
        elif [[ -z $command ]]; then
            command=$word
        elif [[ -z $verb ]]; then
            verb=$word
        fi
    done
    if [[ -z $wanted && $words[CURRENT] == --*=* ]]; then
        _grove_options "$command"
        _grove_find "${words[CURRENT]%%=*}" || return
        wanted=$kind
        compset -P '*='
    fi
    if [[ -n $wanted ]]; then
        _grove_kind_words "$wanted"
    elif [[ $words[CURRENT] == -* ]]; then
        _grove_options "$command"
        _grove_describe option
    elif [[ -z $command ]]; then
        _grove_commands
        _grove_describe command
    else
        _grove_verbs "$command"
        if [[ ${#_grove_list} -gt 0 && -z $verb ]]; then
            _grove_describe word
        elif [[ ${#_grove_list} -gt 0 ]] && _grove_find "$verb"; then
            _grove_kind_words "$kind"
        else
            _grove_operand "$command"
            _grove_kind_words "$kind"
        fi
    fi
}

if [[ $funcstack[1] == _grove ]]; then
    _grove "$@"
else
    compdef _grove grove
fi
