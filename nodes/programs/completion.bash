# Completes command lines of grove in bash. What stands above is from the table of commands.

# Lets COMPREPLY hold those of the words that go on with $cur.
_grove_words() {
    local word
    for word in "$@"; do
        [[ $word != "$cur"* ]] || COMPREPLY+=("$word")
    done
}

# What the mesh knows of a kind; nothing without a mesh, and never more than a second later.
_grove_live() {
    local -a words
    mapfile -t words < <("$grove" completions values "$1" "${credential[@]}" 2>/dev/null)
    _grove_words "${words[@]}"
}

_grove_kind_words() {
    _grove_choices "$1"
    case $_grove_completion in
    choices) _grove_words "${_grove_list[@]}" ;;
    live) _grove_live "$1" ;;
    commands) _grove_commands && _grove_words "${_grove_list[@]%%:*}" ;;
    files) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    directories) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
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
    local grove=$1 cur=${COMP_WORDS[COMP_CWORD]} command="" verb="" kind="" wanted="" word i
    local -a credential=() _grove_list=()
    local _grove_completion=""
    COMPREPLY=()
    [[ $cur != "=" ]] || cur=""
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $wanted ]]; then
            [[ $word != "=" ]] || continue
            [[ $wanted != FILE || ${COMP_WORDS[i - 1]} != --credential ]] || credential=(--credential "$word")
            wanted=""
        elif [[ $word == -- || $word == ::: || $word == :::: ]]; then
            compopt -o default
            return
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
    if [[ -n $wanted ]]; then
        _grove_kind_words "$wanted"
    elif [[ $cur == -* ]]; then
        _grove_options "$command"
        _grove_words "${_grove_list[@]%%:*}"
    elif [[ -z $command ]]; then
        _grove_commands
        _grove_words "${_grove_list[@]%%:*}"
    else
        _grove_verbs "$command"
        if [[ ${#_grove_list[@]} -gt 0 && -z $verb ]]; then
            _grove_words "${_grove_list[@]%%:*}"
        elif [[ ${#_grove_list[@]} -gt 0 ]] && _grove_find "$verb"; then
            _grove_kind_words "$kind"
        else
            _grove_operand "$command"
            _grove_kind_words "$kind"
        fi
    fi
}

complete -F _grove grove
