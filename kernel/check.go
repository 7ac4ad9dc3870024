package kernel

import "fmt"

// What a command may ask for. Both directions pass here: a command that is
// encoded, and one that is decoded.

func (o Op) onMember() bool { return o >= OpMemberAdd && o <= OpMemberRemove }

func (o Op) onKey() bool { return o >= OpSet && o <= OpCompareAndDelete }

func (o Op) known() bool { return o.onKey() || o == OpExpire || o >= OpMemberAdd && o <= OpSetting }

func (c *Command) check() error {
	if !c.Op.known() {
		return fmt.Errorf("command: operation %d: %w", c.Op, ErrMalformed)
	}
	if c.Op.onKey() {
		if err := checkPath(c.Path); err != nil {
			return fmt.Errorf("command: %w", err)
		}
	} else if len(c.Path) > MaxNameBytes {
		return fmt.Errorf("command: a name of %d bytes: %w of %d", len(c.Path), ErrLimit, MaxNameBytes)
	}
	value, longest := max(len(c.Value), len(c.PrevValue)), MaxValueBytes
	if !c.Op.onKey() {
		longest = MaxNameBytes
	}
	if value > longest {
		return fmt.Errorf("command: a value of %d bytes: %w of %d", value, ErrLimit, longest)
	}
	if c.TTLSeconds > MaxTTLSeconds {
		return fmt.Errorf("command: a time to live of %d seconds: %w of %d", c.TTLSeconds, ErrLimit, int64(MaxTTLSeconds))
	}
	if c.Op.onMember() {
		if err := c.Member.check(); err != nil {
			return fmt.Errorf("command: %w", err)
		}
	}
	return nil
}

// checkPath says what is wrong with a path that is not canonical or over the
// limits.
func checkPath(path string) error {
	if len(path) > MaxPathBytes {
		return fmt.Errorf("a path of %d bytes: %w of %d", len(path), ErrLimit, MaxPathBytes)
	}
	depth, canonical := namesIn(path)
	if !canonical {
		return fmt.Errorf("path %.100q: %w; give one like /a/b", path, ErrMalformed)
	}
	if depth > MaxDepth {
		return fmt.Errorf("a path of %d names: %w of %d", depth, ErrLimit, MaxDepth)
	}
	return nil
}

func (m *Member) check() error {
	if m.ID == 0 {
		return fmt.Errorf("member: id 0: %w", ErrMalformed)
	}
	if len(m.Name) > MaxNameBytes {
		return fmt.Errorf("member: a name of %d bytes: %w of %d", len(m.Name), ErrLimit, MaxNameBytes)
	}
	for _, list := range [][]string{m.PeerURLs, m.ClientURLs} {
		if len(list) > MaxURLs {
			return fmt.Errorf("member: %d URLs: %w of %d", len(list), ErrLimit, MaxURLs)
		}
		for _, u := range list {
			if len(u) > MaxURLBytes {
				return fmt.Errorf("member: a URL of %d bytes: %w of %d", len(u), ErrLimit, MaxURLBytes)
			}
		}
	}
	return nil
}
