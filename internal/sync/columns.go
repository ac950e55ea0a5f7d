package sync

// Columns gives the properties that hmad asks of a cmdlet's rows; nil: all of
// them. Of a device there are many more, and they are personal data (IMEI, phone
// number): whoever asks these cmdlets asks for no others.
func Columns(cmdlet string) []string {
	switch cmdlet {
	case getDevices:
		return []string{"Identity", "ClientType", "FirstSyncTime", "LastSyncAttemptTime", "LastSuccessSync"}
	case getStatistics:
		return []string{"MailboxGuid", "ItemCount", "LastLogonTime"}
	case getInventory:
		return []string{"Identity", "ClientType"}
	default:
		return nil
	}
}
